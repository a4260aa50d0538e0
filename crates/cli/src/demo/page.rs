//! The shop's HTML.

use billfold_sandbox::{Delivery, RecordedRequest};
use maud::{DOCTYPE, Markup, PreEscaped, html};
use serde_json::Value;

use billfold_sandbox::Stage;

const STYLE: &str = "
:root{--ink:#16202e;--soft:#627084;--line:#e3e8ef;--brand:#0f766e;--tint:#e6f4f1}
*{box-sizing:border-box}body{margin:0;font:16px/1.5 system-ui,sans-serif;color:var(--ink);background:#f6f8fa}
header{background:#fff;border-bottom:1px solid var(--line);padding:18px 32px;font-weight:700;font-size:20px}
header small{font-weight:400;color:var(--soft);margin-left:10px;font-size:14px}
main{max-width:860px;margin:32px auto;padding:0 24px}section{background:#fff;border:1px solid var(--line);
border-radius:14px;padding:22px 26px;margin-bottom:22px}h2{margin:0 0 14px;font-size:18px}
.actions{display:flex;gap:12px;flex-wrap:wrap}button{font:inherit;cursor:pointer;border-radius:10px;border:1px solid var(--line);
background:#fff;padding:9px 16px}button.primary{background:var(--brand);border-color:var(--brand);color:#fff;font-weight:600}
ul{list-style:none;margin:0;padding:0}li.method{display:flex;align-items:center;gap:14px;padding:14px 0;border-top:1px solid var(--line)}
li.method:first-child{border-top:0}.what{flex:1}.what b{display:block}.what span{color:var(--soft);font-size:14px}
.badge{background:var(--tint);color:var(--brand);border-radius:99px;padding:2px 12px;font-size:13px;font-weight:600}
.note{padding:12px 16px;border-radius:10px;background:var(--tint);margin-bottom:22px}.note.wait{background:#fff4d6}
details summary{cursor:pointer;color:var(--soft)}table{width:100%;border-collapse:collapse;font-size:14px;margin-top:12px}
td,th{text-align:left;padding:5px 8px;border-bottom:1px solid var(--line);vertical-align:top}code{font-size:13px;word-break:break-all}
form{margin:0}.empty{color:var(--soft)}";

fn page(refresh: bool, body: &Markup) -> String {
    let markup = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                @if refresh { meta http-equiv="refresh" content="1"; }
                title { "Demo shop" }
                style { (PreEscaped(STYLE)) }
            }
            body {
                header { "Demo shop" small { "a merchant that uses Billfold" } }
                main { (body) }
            }
        }
    };
    markup.into_string()
}

/// The shop's one page.
pub(super) fn home(
    stage: &Stage,
    session: Option<&Value>,
    methods: &[Value],
    requests: &[RecordedRequest],
    deliveries: &[Delivery],
) -> String {
    let status = session.map(|session| text(session, "/status"));
    let waiting = matches!(status, Some("creating" | "processing"));
    page(
        waiting,
        &html! {
            @if let Some(status) = status { (notice(status, waiting)) }
            section {
                h2 { "Your payment methods" }
                @if methods.is_empty() { p.empty { "Nothing saved yet." } }
                ul id="methods" { @for method in methods { (row(method)) } }
            }
            section {
                h2 { "Save another" }
                div.actions {
                    @for offer in stage.offers {
                        form method="post" action={ "/save/" (offer.id) } {
                            button.primary type="submit" id={ "save-" (offer.id) } { "Save " (offer.label) }
                        }
                    }
                }
            }
            (behind_the_scenes(stage, session, requests, deliveries))
        },
    )
}

fn notice(status: &str, waiting: bool) -> Markup {
    let message = match status {
        "completed" => "Saved. You can pay with it from now on.",
        "active" => "You came back without finishing; nothing was saved.",
        "expired" => "The time was up; nothing was saved.",
        "canceled" | "failed" => "Nothing was saved.",
        _ => "One moment, we are checking with the gateway…",
    };
    html! {
        p.note.wait[waiting] role="status" { (message) " " code id="session-status" { (status) } }
    }
}

fn row(method: &Value) -> Markup {
    let id = text(method, "/id");
    let brand =
        method.pointer("/display/brand").and_then(Value::as_str).unwrap_or_else(|| text(method, "/channel"));
    let last4 = method.pointer("/display/last4").and_then(Value::as_str);
    let month = method.pointer("/display/expiry_month").and_then(Value::as_u64);
    let year = method.pointer("/display/expiry_year").and_then(Value::as_u64);
    let is_default = method.pointer("/is_default") == Some(&Value::Bool(true));
    html! {
        li.method data-id=(id) data-kind=(text(method, "/kind")) {
            div.what {
                b { (brand) @if let Some(last4) = last4 { " •••• " (last4) } }
                span {
                    (text(method, "/kind").replace('_', " ")) ", " (text(method, "/status"))
                    @if let (Some(month), Some(year)) = (month, year) { ", valid to " (format!("{month:02}/{year}")) }
                }
            }
            @if is_default { span.badge { "Default" } } @else {
                form method="post" action={ "/default/" (id) } {
                    button type="submit" id={ "default-" (id) } { "Make default" }
                }
            }
            form method="post" action={ "/remove/" (id) } {
                button type="submit" id={ "remove-" (id) } { "Remove" }
            }
        }
    }
}

fn behind_the_scenes(
    stage: &Stage,
    session: Option<&Value>,
    requests: &[RecordedRequest],
    deliveries: &[Delivery],
) -> Markup {
    let from =
        requests.iter().rposition(|request| request.method == "POST" && request.path == stage.creation);
    let last = from.map_or(&[][..], |from| &requests[from..]);
    html! {
        section {
            details id="behind-the-scenes" open[session.is_some()] {
                summary { "Behind the scenes" }
                @if let Some(session) = session { p { "Session " code { (text(session, "/id")) } ", learnt by " (text(session, "/settled_via")) } }
                table {
                    tr { th { "What the gateway was asked, last session" } th { "answer" } }
                    @for request in last { tr { td { code { (request.method) " " (request.path) } } td { (request.status) } } }
                }
                table {
                    tr { th { "Webhooks it sent" } th { "state" } }
                    @for delivery in deliveries.iter().rev().take(6) {
                        tr { td { code { (delivery.event) } } td { (format!("{:?}", delivery.state)) } }
                    }
                }
            }
        }
    }
}

/// When the API cannot be used.
pub(super) fn failure(message: &str) -> String {
    page(false, &html! { section { h2 { "That did not work" } p { (message) } p { a href="/" { "Back" } } } })
}

fn text<'a>(value: &'a Value, pointer: &str) -> &'a str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}
