//! `demo --once`: the whole story by itself, step by step.

use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use billfold_core::money::Money;
use serde_json::{Value, json};

use super::customer::Customer;
use super::world::{Played, World};
use crate::args::Global;
use crate::client::ApiClient;
use crate::commands::METHOD;
use crate::output;
use billfold_sandbox::Offer;

const PATIENCE: Duration = Duration::from_mins(1);

/// The story so far.
struct Story<'a> {
    world: &'a World,
    /// The gateway at which it plays now.
    gateway: &'a Played,
    api: ApiClient,
    customer: Customer,
    quiet: bool,
    steps: Vec<String>,
    /// The newest webhook of a database that was kept from an earlier run.
    earlier: String,
}

pub(super) async fn run(global: &Global, world: &World) -> anyhow::Result<()> {
    let api = ApiClient::remote(world.server.clone(), world.api_key.clone())?;
    let newest = api.get("/v1/deliveries?limit=1").await?;
    let earlier = text(&newest, "/data/0/id").to_owned();
    let (customer, quiet) = (Customer::new()?, global.json);
    let Some(first) = world.gateways.first() else {
        bail!("this program links no provider that can be played")
    };
    let mut story = Story { world, gateway: first, api, customer, quiet, steps: Vec::new(), earlier };
    story.step(format!("the server is at {}", world.server));
    let mut methods = Vec::new();
    for gateway in &world.gateways {
        story.gateway = gateway;
        match story.tell().await {
            Ok(left) => methods.extend(left),
            Err(error) => bail!("step {} failed, at {}: {error:#}", story.steps.len() + 1, gateway.name()),
        }
    }
    if global.json {
        output::json(&json!({"ok": true, "steps": story.steps, "payment_methods": methods}));
    } else {
        output::say!("\nAll of it worked. `billfold demo` lets you do it by hand.");
    }
    Ok(())
}

impl Story<'_> {
    fn step(&mut self, text: impl Into<String>) {
        let text = text.into();
        if !self.quiet {
            output::say!("{:>2}. {text}", self.steps.len() + 1);
        }
        self.steps.push(text);
    }

    async fn tell(&mut self) -> anyhow::Result<Vec<Value>> {
        let offers = self.gateway.stage().offers;
        self.step(format!("{} is at {}", self.gateway.name(), self.gateway.sandbox.base_url()));
        let mut customer_id = String::new();
        for offer in offers {
            let session = self.save(offer).await?;
            text(&session, "/customer_id").clone_into(&mut customer_id);
        }
        self.wait_for_webhooks().await?;
        let methods = self.list(&customer_id).await?;
        ensure!(
            methods.len() == offers.len(),
            "{} methods were saved instead of {}",
            methods.len(),
            offers.len()
        );
        self.step(format!("GET /v1/customers/{customer_id}/payment-methods lists {}", methods.len()));
        self.show(&methods);
        self.charge(&methods).await?;
        self.choose_and_remove(&methods).await?;
        let left = self.list(&customer_id).await?;
        ensure!(
            left.len() == offers.len() - 1,
            "{} methods are left instead of {}",
            left.len(),
            offers.len() - 1
        );
        self.show(&left);
        Ok(left)
    }

    /// The customer and the shop pay with the first method; the last payment that succeeded is given back.
    async fn charge(&mut self, methods: &[Value]) -> anyhow::Result<()> {
        let Some(method) = methods.first() else { return Ok(()) };
        let id = text(method, "/id");
        let stage = self.gateway.stage();
        let mut paid = None;
        for purchase in stage.purchases {
            let body = stage.payment(purchase, &self.world.shop_url("/done"));
            let path = format!("/v1/payment-methods/{id}/charges");
            let mut charge =
                self.api.post(&path, Some(body)).await.with_context(|| format!("POST {path}"))?;
            let number = text(&charge, "/id").to_owned();
            if let Some(link) = charge.pointer("/next/url").and_then(Value::as_str).map(str::to_owned) {
                self.step(format!("{number}: the bank asks the customer first"));
                self.confirm(&link).await?;
                charge = self.api.get(&format!("/v1/charges/{number}")).await?;
            }
            let (status, class) = (text(&charge, "/status"), text(&charge, "/decline/class"));
            let expected = match purchase.id {
                "refused" => status == "declined",
                _ => matches!(status, "succeeded" | "processing"),
            };
            ensure!(expected, "the charge `{}` is {status} {class}", purchase.label);
            let by = if purchase.by_merchant { "the shop charges" } else { "the customer pays" };
            let money = Money { amount: purchase.amount, currency: stage.currency.parse()? };
            self.step(format!("{by} {money} with {id}: {status} {class}"));
            if status == "succeeded" {
                paid = Some(number);
            }
        }
        if let Some(paid) = paid {
            let charge = self.api.post(&format!("/v1/charges/{paid}/refunds"), Some(json!({}))).await?;
            self.step(format!("{paid} is given back: {}", text(&charge, "/refunds/0/status")));
        }
        Ok(())
    }

    /// The customer confirms a payment on the bank's page, and comes back to the shop.
    async fn confirm(&mut self, link: &str) -> anyhow::Result<()> {
        self.customer.open(link).await.context("the bank's page")?;
        let back = self.customer.decide(&link.parse()?, "approve").await.context("the challenge")?;
        ensure!(back.path().starts_with("/return/"), "the gateway sent the browser to {}", back.path());
        let shop = self.customer.follow(&back).await.context("the return")?;
        ensure!(shop.as_str().starts_with(&self.world.shop_url("/done")), "the browser ended at {shop}");
        Ok(())
    }

    /// One session, from its start until the gateway's own word is stored.
    async fn save(&mut self, offer: &Offer) -> anyhow::Result<Value> {
        let session = self.start(offer).await?;
        let id = text(&session, "/id").to_owned();
        let link = text(&session, "/next/url").to_owned();
        self.customer.open(&link).await.context("the hosted page")?;
        let mut address =
            self.customer.submit(&link, offer.form).await.context("the form of the hosted page")?;
        if offer.id == "card" {
            // The first attempt fails at the bank; the session stays open for another.
            self.customer.decide(&address, "fail").await.context("the failed attempt")?;
            self.step("the customer fails the bank's challenge; the session stays open");
            address = self.customer.submit(&link, offer.form).await.context("the second attempt")?;
        }
        if address.path().contains("/challenge/") {
            address = self.customer.decide(&address, "approve").await.context("the challenge")?;
        }
        ensure!(address.path().starts_with("/return/"), "the gateway sent the browser to {}", address.path());
        let shop = self.customer.follow(&address).await.context("the return")?;
        ensure!(shop.as_str().starts_with(&self.world.shop_url("/done")), "the browser ended at {shop}");
        self.step(format!(
            "the customer saves {} and comes back to {}{}",
            offer.label,
            shop.path(),
            query(&shop)
        ));
        let settled = self.api.get(&format!("/v1/sessions/{id}")).await?;
        ensure!(text(&settled, "/status") == "completed", "the session is {}", text(&settled, "/status"));
        let (method, via) = (text(&settled, "/payment_methods/0"), text(&settled, "/settled_via"));
        self.step(format!(
            "{id} is completed (learnt by {via}); {method} is saved, its token sealed in the vault"
        ));
        Ok(settled)
    }

    async fn start(&mut self, offer: &Offer) -> anyhow::Result<Value> {
        let customer = json!({
            "reference": self.world.customer, "given_names": "Lorem", "surname": "Ipsum", "email": "lorem@example.com",
        });
        let body = self.gateway.stage().request(
            self.gateway.name(),
            &customer,
            offer,
            &self.world.shop_url("/done"),
        );
        let session = self.api.post("/v1/sessions", Some(body)).await.context("POST /v1/sessions")?;
        self.step(format!("POST /v1/sessions for {} makes {}", offer.label, text(&session, "/id")));
        let requests = self.gateway.control().requests();
        let asked = requests
            .iter()
            .rev()
            .find(|request| request.method == "POST" && request.path == self.gateway.stage().creation);
        let asked = asked.context("the gateway was not asked")?;
        if !self.quiet {
            let shown = without_nonces(&serde_json::to_string_pretty(&asked.body)?);
            output::say!("    the gateway got POST {} and answered {}:", asked.path, asked.status);
            output::say!(
                "{}",
                shown.lines().map(|line| format!("      {line}\n")).collect::<String>().trim_end()
            );
        }
        Ok(session)
    }

    /// Every webhook that the gateway sent is answered, and none waits to be worked on.
    async fn wait_for_webhooks(&mut self) -> anyhow::Result<()> {
        let deadline = tokio::time::Instant::now() + PATIENCE;
        loop {
            let sent = self.gateway.control().deliveries();
            let answered = sent
                .iter()
                .filter(|delivery| delivery.state == billfold_sandbox::DeliveryState::Delivered)
                .count();
            let stored = self.api.get("/v1/deliveries?limit=100").await?;
            let stored = stored.get("data").and_then(Value::as_array).cloned().unwrap_or_default();
            // Ids sort by time.
            let ours = stored.iter().filter(|delivery| {
                text(delivery, "/id") > self.earlier.as_str()
                    && text(delivery, "/gateway") == self.gateway.name()
            });
            let done = ours.filter(|delivery| text(delivery, "/state") == "done").count();
            if !sent.is_empty() && answered == sent.len() && done == sent.len() {
                self.step(format!(
                    "{answered} webhooks came, were stored sealed, acknowledged and processed"
                ));
                return Ok(());
            }
            ensure!(
                tokio::time::Instant::now() < deadline,
                "of {} webhooks {answered} were answered and {done} processed",
                sent.len()
            );
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    async fn list(&self, customer_id: &str) -> anyhow::Result<Vec<Value>> {
        let answer = self.api.get(&format!("/v1/customers/{customer_id}/payment-methods?limit=100")).await?;
        let mut methods = answer.get("data").and_then(Value::as_array).cloned().unwrap_or_default();
        methods.retain(|method| text(method, "/gateway") == self.gateway.name());
        Ok(methods)
    }

    fn show(&self, methods: &[Value]) {
        if !self.quiet {
            output::say!("{}", output::table(methods, METHOD));
        }
    }

    async fn choose_and_remove(&mut self, methods: &[Value]) -> anyhow::Result<()> {
        let (card, wallet) = (text(&methods[0], "/id"), text(&methods[1], "/id"));
        let path = format!("/v1/payment-methods/{wallet}");
        self.api.call(http::Method::PATCH, &path, Some(json!({"is_default": true}))).await?;
        self.step(format!("{wallet} is the default now"));
        self.api.call(http::Method::DELETE, &format!("/v1/payment-methods/{card}"), None).await?;
        let deadline = tokio::time::Instant::now() + PATIENCE;
        while canceled_tokens(self.gateway) == 0 {
            ensure!(
                tokio::time::Instant::now() < deadline,
                "the token of {card} was not canceled at the gateway"
            );
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        self.step(format!("{card} is removed, and its token canceled at the gateway"));
        Ok(())
    }
}

fn canceled_tokens(gateway: &Played) -> usize {
    gateway.control().gone_tokens().len()
}

fn query(url: &url::Url) -> String {
    url.query().map(|query| format!("?{query}")).unwrap_or_default()
}

fn text<'a>(value: &'a Value, pointer: &str) -> &'a str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

/// Return addresses carry a secret; nobody needs to see it.
fn without_nonces(text: &str) -> String {
    let cut = |line: &str| match line.find("/return/") {
        Some(at) => {
            let end = line[at + 8..].find('/').map_or(line.len(), |slash| at + 8 + slash + 1);
            format!("{}…\"{}", &line[..end], if line.ends_with(',') { "," } else { "" })
        }
        None => line.to_owned(),
    };
    text.lines().map(cut).collect::<Vec<_>>().join("\n")
}
