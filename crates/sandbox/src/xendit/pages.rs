//! The hosted pages' HTML. No scripts; everything from outside is escaped by maud.

use axum::http::StatusCode;
use axum::response::Response;
use maud::{Markup, html};

use super::books::Session;
use super::cards::TEST_CARDS;
use super::channels::{Channel, Kind};
use crate::page::page;

fn footer(session: &Session) -> Markup {
    let link = &session.link;
    html! {
        form method="post" action={ "/pay/" (link) "/cancel" } {
            button.link type="submit" id="cancel" { "Cancel and go back" }
        }
        form method="post" action={ "/pay/" (link) "/expire" } {
            button.link type="submit" id="expire" { "Developer: let this session expire now" }
        }
    }
}

fn failure(session: &Session) -> Markup {
    html! {
        @if let Some(problem) = &session.last_failure { p.error id="error" role="alert" { (problem) } }
    }
}

pub(super) fn choose(session: &Session, offered: &[Channel]) -> Response {
    let body = html! {
        h1 { "Save a payment method" }
        p.sub { (session.object.get("description").and_then(|text| text.as_str()).unwrap_or("Choose how you want to pay from now on.")) }
        (failure(session))
        @for channel in offered {
            a.channel id={ "channel-" (channel.code) } href={ "/pay/" (session.link) "?channel=" (channel.code) } {
                b { (channel.name) }
                span { (kind_name(channel.kind)) }
            }
        }
        (footer(session))
    };
    page(StatusCode::OK, "Save a payment method", &body)
}

fn kind_name(kind: Kind) -> &'static str {
    match kind {
        Kind::Card => "Card",
        Kind::Wallet => "E-wallet",
        Kind::Debit => "Bank debit",
    }
}

pub(super) fn form(session: &Session, channel: Channel) -> Response {
    let body = html! {
        h1 { (channel.name) }
        p.sub { "It will be saved for later payments. Nothing is charged now." }
        (failure(session))
        form method="post" action={ "/pay/" (session.link) "/submit" } {
            input type="hidden" name="channel" value=(channel.code);
            @match channel.kind {
                Kind::Card => (card_fields()),
                Kind::Wallet => {
                    (field("phone", "Phone number of the wallet", "+62812345678"))
                }
                Kind::Debit => {
                    (field("account-number", "Account number", "1234567890"))
                }
            }
            button.primary type="submit" id="pay-submit" { "Save " (channel.name) }
        }
        (footer(session))
        @if channel.kind == Kind::Card { (test_cards()) }
    };
    page(StatusCode::OK, channel.name, &body)
}

fn field(name: &str, label: &str, example: &str) -> Markup {
    html! {
        label for=(name) { (label) }
        input id=(name) name=(name) placeholder=(example) autocomplete="off" required;
    }
}

fn card_fields() -> Markup {
    html! {
        (field("card-number", "Card number", "4000 0000 0000 1000"))
        div.row {
            div { (field("card-expiry-month", "Month", "12")) }
            div { (field("card-expiry-year", "Year", "2034")) }
            div { (field("card-cvv", "Security code", "123")) }
        }
        (field("card-name", "Name on the card", "Lorem Ipsum"))
    }
}

fn test_cards() -> Markup {
    html! {
        details {
            summary { "Test cards: any security code, any expiry in the future" }
            table {
                @for card in TEST_CARDS {
                    tr {
                        td { code { (card.number) } }
                        td { (card.network) }
                        td { @if card.challenge { "asks for confirmation" } @else { "saved at once" } }
                    }
                }
            }
        }
    }
}

pub(super) fn challenge(session: &Session, attempt: &str, channel: &str) -> Response {
    let (title, text) = if channel == "CARDS" {
        ("Confirm with your bank", "Your bank asks whether it is really you.")
    } else {
        ("Confirm the link", "The shop asks to charge this account later.")
    };
    let body = html! {
        h1 { (title) }
        p.sub { (text) }
        form method="post" action={ "/pay/" (session.link) "/challenge/" (attempt) } {
            button.primary type="submit" id="approve" name="decision" value="approve" { "Approve" }
            button.danger type="submit" id="fail" name="decision" value="fail" { "Fail" }
        }
    };
    page(StatusCode::OK, title, &body)
}

pub(super) fn over(session: &Session) -> Response {
    let status = session.text("status").to_lowercase();
    let body = html! {
        h1 id="over" { "This session is " (status) }
        p.sub { "Nothing more can be saved here." }
        @if !session.text("cancel_return_url").is_empty() { (back(session)) }
    };
    page(StatusCode::OK, "Session over", &body)
}

fn back(session: &Session) -> Markup {
    html! {
        form method="post" action={ "/pay/" (session.link) "/cancel" } {
            button.primary type="submit" id="cancel" { "Back to the shop" }
        }
    }
}

pub(super) fn unknown() -> Response {
    page(StatusCode::NOT_FOUND, "Not found", &html! { h1 { "There is no such payment page" } })
}

pub(super) fn nowhere() -> Response {
    page(StatusCode::OK, "Done", &html! { h1 { "Done" } p.sub { "You can close this page." } })
}
