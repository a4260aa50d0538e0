//! `billfold gateways explain`: which gateway a session gets that names none, and why.

use anyhow::bail;
use serde_json::{Value, json};

use crate::args::{ExplainArgs, Global};
use crate::client::ApiClient;
use crate::output::{self, Column};

const CONSIDERED: &[Column] =
    &[("gateway", "/gateway"), ("taken", "/taken"), ("reason", "/reason"), ("which", "/message")];
const RULE: &[Column] = &[("rule", "/rule"), ("outcome", "/outcome"), ("gateways", "/gateways")];

/// Prints the explanation; that there is no gateway is a failure.
pub(crate) async fn run(global: &Global, args: &ExplainArgs) -> anyhow::Result<()> {
    let api = ApiClient::connect(global).await?;
    let explanation = api.get(&format!("/v1/gateways/explain?{}", query(args))).await?;
    if global.json {
        output::json(&explanation);
    } else {
        print(&explanation);
    }
    match explanation.get("reason").and_then(Value::as_str) {
        _ if explanation.get("gateway").is_some_and(Value::is_string) => Ok(()),
        Some("mode_undecided") => {
            bail!("there are gateways of both modes, and no rule for this; say --mode test or --mode live")
        }
        Some("no_gateway") => bail!("no gateway is configured for this tenant"),
        _ => bail!("no gateway serves this"),
    }
}

fn query(args: &ExplainArgs) -> String {
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    query.append_pair("country", &args.country);
    query.append_pair("currency", &args.currency);
    query.append_pair("usage", &args.usage);
    for (key, values) in [("kinds", &args.kinds), ("channels", &args.channels)] {
        if !values.is_empty() {
            query.append_pair(key, &values.join(","));
        }
    }
    if let Some(mode) = &args.mode {
        query.append_pair("mode", mode);
    }
    query.finish()
}

fn print(explanation: &Value) {
    let rows = |key: &str| explanation.get(key).and_then(Value::as_array).cloned().unwrap_or_default();
    let mut considered = rows("considered");
    for row in &mut considered {
        row["taken"] = json!(row.get("gateway") == explanation.get("gateway"));
    }
    output::say!("{}", output::table(&considered, CONSIDERED));
    let rules = rows("rules");
    if !rules.is_empty() {
        output::say!("{}", output::table(&rules, RULE));
    }
}
