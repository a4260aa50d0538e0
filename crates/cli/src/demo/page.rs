//! The shop's HTML.

use billfold_core::money::Money;
use maud::{DOCTYPE, Markup, PreEscaped, html};
use serde_json::Value;

use super::shop::{Counter, Shown};

const STYLE: &str = "
:root{--ink:#16202e;--soft:#627084;--line:#e3e8ef;--brand:#0f766e;--tint:#e6f4f1}
*{box-sizing:border-box}body{margin:0;font:16px/1.5 system-ui,sans-serif;color:var(--ink);background:#f6f8fa}
header{background:#fff;border-bottom:1px solid var(--line);padding:18px 32px;font-weight:700;font-size:20px}
header small{font-weight:400;color:var(--soft);margin-left:10px;font-size:14px}
main{max-width:980px;margin:32px auto;padding:0 24px}section{background:#fff;border:1px solid var(--line);
border-radius:14px;padding:22px 26px;margin-bottom:22px}h2{margin:0 0 14px;font-size:18px}
.actions{display:flex;gap:12px;flex-wrap:wrap}button{font:inherit;cursor:pointer;border-radius:10px;border:1px solid var(--line);
background:#fff;padding:9px 16px}button.primary{background:var(--brand);border-color:var(--brand);color:#fff;font-weight:600}
ul{list-style:none;margin:0;padding:0}li.method{display:flex;align-items:center;gap:10px;flex-wrap:wrap;padding:14px 0;border-top:1px solid var(--line)}
li.method:first-child{border-top:0}.what{flex:1;min-width:220px}.what b{display:block}.what span{color:var(--soft);font-size:14px}
.badge{background:var(--tint);color:var(--brand);border-radius:99px;padding:2px 12px;font-size:13px;font-weight:600}
.note{padding:12px 16px;border-radius:10px;background:var(--tint);margin-bottom:22px}.note.wait{background:#fff4d6}
details summary{cursor:pointer;color:var(--soft)}table{width:100%;border-collapse:collapse;font-size:14px;margin-top:12px}
td,th{text-align:left;padding:5px 8px;border-bottom:1px solid var(--line);vertical-align:top}code{font-size:13px;word-break:break-all}
li.method button{padding:6px 12px;font-size:14px}form{margin:0}.empty{color:var(--soft)}";

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
pub(super) fn home(shown: &Shown<'_>) -> String {
    let status = shown.session.map(|session| text(session, "/status"));
    let paid = shown.charge.map(|charge| text(charge, "/status"));
    let waiting = matches!(status, Some("creating" | "processing")) || paid == Some("unknown");
    page(
        waiting,
        &html! {
            @if let Some(status) = status { (notice(status, waiting)) }
            @if let Some(charge) = shown.charge { (receipt(charge, waiting)) }
            section {
                h2 { "Your payment methods" }
                @if shown.methods.is_empty() { p.empty { "Nothing saved yet." } }
                ul id="methods" { @for method in shown.methods { (row(method, shown.gateways)) } }
            }
            @if !shown.charges.is_empty() {
                section {
                    h2 { "Your payments" }
                    ul id="charges" { @for charge in shown.charges { (payment(charge)) } }
                }
            }
            @for counter in shown.gateways {
                section {
                    h2 { "Save another, at " (counter.name) }
                    div.actions {
                        @for offer in counter.stage.offers {
                            form method="post" action={ "/save/" (counter.name) "/" (offer.id) } {
                                button.primary type="submit" id={ "save-" (counter.name) "-" (offer.id) } { "Save " (offer.label) }
                            }
                        }
                    }
                }
            }
            (behind_the_scenes(shown))
        },
    )
}

fn receipt(charge: &Value, waiting: bool) -> Markup {
    let message = match text(charge, "/status") {
        "succeeded" => "Paid. Thank you.",
        "requires_action" => "You came back without confirming; nothing was paid.",
        "declined" => "The payment was declined.",
        "processing" | "authorized" => "The payment is on its way.",
        "canceled" => "The payment was canceled.",
        _ => "One moment, we are checking with the gateway…",
    };
    html! {
        p.note.wait[waiting] role="status" {
            (message) " " code id="charge-status" { (text(charge, "/status")) }
            @if let Some(class) = charge.pointer("/decline/class").and_then(Value::as_str) { " " code id="decline-class" { (class) } }
        }
    }
}

/// An amount in minor units and its currency.
fn amount(charge: &Value) -> String {
    let minor = charge.pointer("/amount").and_then(Value::as_i64).unwrap_or_default();
    match text(charge, "/currency").parse() {
        Ok(currency) => Money { amount: minor, currency }.to_string(),
        Err(_) => minor.to_string(),
    }
}

fn payment(charge: &Value) -> Markup {
    let (id, status) = (text(charge, "/id"), text(charge, "/status"));
    let given_back = charge.pointer("/refunded_amount").and_then(Value::as_i64).unwrap_or_default();
    let by = if text(charge, "/initiator") == "merchant" { "charged without you" } else { "you paid" };
    html! {
        li.method data-charge=(id) data-status=(status) {
            div.what {
                b { (amount(charge)) " · " (by) }
                span { (text(charge, "/gateway")) " " (text(charge, "/decline/class")) }
            }
            span.badge { (status) @if given_back > 0 { ", given back" } }
            @if status == "succeeded" && given_back == 0 {
                form method="post" action={ "/refund/" (id) } { button type="submit" id={ "refund-" (id) } { "Give back" } }
            }
        }
    }
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

fn row(method: &Value, gateways: &[Counter]) -> Markup {
    let id = text(method, "/id");
    let counter = gateways.iter().find(|known| known.name == text(method, "/gateway"));
    // A bank debit can be charged before its mandate is active.
    let usable = matches!(text(method, "/status"), "active" | "pending");
    let card = text(method, "/kind") == "card";
    let purchases = counter.filter(|_| usable).map_or(&[][..], |counter| counter.stage.purchases);
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
                    (text(method, "/kind").replace('_', " ")) " at " (text(method, "/gateway")) ", " (text(method, "/status"))
                    @if let (Some(month), Some(year)) = (month, year) { ", valid to " (format!("{month:02}/{year}")) }
                }
            }
            @if is_default { span.badge { "Default" } } @else {
                form method="post" action={ "/default/" (id) } {
                    button type="submit" id={ "default-" (id) } { "Make default" }
                }
            }
            @for purchase in purchases.iter().filter(|purchase| card || !purchase.cards_only) {
                form method="post" action={ "/pay/" (id) "/" (purchase.id) } {
                    button type="submit" id={ (purchase.id) "-" (id) } { (purchase.label) }
                }
            }
            form method="post" action={ "/remove/" (id) } {
                button type="submit" id={ "remove-" (id) } { "Remove" }
            }
        }
    }
}

fn behind_the_scenes(shown: &Shown<'_>) -> Markup {
    let told = shown.session.or(shown.charge);
    let counter =
        shown.gateways.iter().find(|known| Some(known.name) == told.map(|told| text(told, "/gateway")));
    html! {
        section {
            details id="behind-the-scenes" open[told.is_some()] {
                summary { "Behind the scenes" }
                @if let Some(told) = told {
                    p { (text(told, "/object")) " " code { (text(told, "/id")) } ", learnt by " (text(told, "/settled_via")) }
                }
                @if let Some(counter) = counter { (asked_and_told(counter)) }
            }
        }
    }
}

fn asked_and_told(counter: &Counter) -> Markup {
    let (requests, deliveries) = (counter.control.requests(), counter.control.deliveries());
    html! {
        table {
            tr { th { "What the gateway was asked last" } th { "answer" } }
            @for request in requests.iter().rev().take(8).rev() { tr { td { code { (request.method) " " (request.path) } } td { (request.status) } } }
        }
        table {
            tr { th { "Webhooks it sent" } th { "state" } }
            @for delivery in deliveries.iter().rev().take(6) {
                tr { td { code { (delivery.event) } } td { (format!("{:?}", delivery.state)) } }
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
