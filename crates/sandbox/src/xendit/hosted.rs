//! The hosted page: what the customer's browser does, and what comes of it.

use std::collections::HashMap;
use std::sync::Arc;

use axum::Router;
use axum::extract::{Form, Path, Query, State};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use serde_json::{Value, json};

use super::books::{Saved, Session, object_id};
use super::cards::{self, TestCard};
use super::channels::{self, Channel, Kind};
use super::pages;
use crate::clock::year_and_month;
use crate::server::World;

pub(super) fn routes() -> Router<Arc<World>> {
    Router::new()
        .route("/pay/{link}", get(show))
        .route("/pay/{link}/submit", post(submit))
        .route("/pay/{link}/challenge/{attempt}", get(challenge).post(answer))
        .route("/pay/{link}/cancel", post(give_up))
        .route("/pay/{link}/expire", post(expire))
}

fn session_of(world: &World, link: &str) -> Option<Session> {
    world.pass_time();
    world.with(|state, _| state.books.xendit.session_by_link(link).cloned())
}

/// The channels that a session offers.
fn offered(session: &Session) -> Vec<Channel> {
    let all = channels::of_country(session.text("country")).unwrap_or_default();
    let listed =
        session.object.get("allowed_payment_channels").and_then(Value::as_array).cloned().unwrap_or_default();
    let wanted = |channel: &&Channel| listed.is_empty() || listed.contains(&Value::from(channel.code));
    all.iter().filter(wanted).copied().collect()
}

async fn show(
    State(world): State<Arc<World>>,
    Path(link): Path<String>,
    Query(query): Query<HashMap<String, String>>,
) -> Response {
    let Some(session) = session_of(&world, &link) else { return pages::unknown() };
    if !session.is_active() {
        return pages::over(&session);
    }
    let offered = offered(&session);
    let chosen = query.get("channel").and_then(|code| offered.iter().find(|channel| channel.code == code));
    // With one channel there is nothing to choose.
    match (chosen, offered.as_slice()) {
        (Some(channel), _) | (None, [channel]) => pages::form(&session, *channel),
        (None, _) => pages::choose(&session, &offered),
    }
}

async fn submit(
    State(world): State<Arc<World>>,
    Path(link): Path<String>,
    Form(form): Form<HashMap<String, String>>,
) -> Response {
    let Some(session) = session_of(&world, &link) else { return pages::unknown() };
    if !session.is_active() {
        return pages::over(&session);
    }
    let code = form.get("channel").map(String::as_str).unwrap_or_default();
    let Some(channel) = offered(&session).into_iter().find(|channel| channel.code == code) else {
        return pages::choose(&session, &offered(&session));
    };
    let field = |name: &str| form.get(name).map(|value| value.trim().to_owned()).unwrap_or_default();
    let saved = match channel.kind {
        Kind::Card => match card_form(&field, world.now()) {
            Ok((card, saved)) if card.challenge => return challenged(&world, &link, saved),
            Ok((_, saved)) => saved,
            Err(problem) => return fail(&world, &link, &session, &channel, &problem),
        },
        // Wallets and banks ask the customer on a page of their own.
        Kind::Wallet if field("phone").is_empty() => {
            return fail(&world, &link, &session, &channel, "Enter the phone number of the wallet");
        }
        Kind::Debit if field("account-number").len() < 8 => {
            return fail(&world, &link, &session, &channel, "Enter an account number of at least 8 digits");
        }
        Kind::Wallet => return challenged(&world, &link, wallet(&channel)),
        Kind::Debit => return challenged(&world, &link, debit(&channel, &field("account-number"))),
    };
    succeed(&world, &session, saved)
}

/// Shows the form again with what went wrong; the session stays open.
fn fail(world: &World, link: &str, session: &Session, channel: &Channel, problem: &str) -> Response {
    let mut session = session.clone();
    session.last_failure = Some(problem.to_owned());
    world.with(|state, _| {
        if let Some(stored) = state.books.xendit.session_by_link(link) {
            stored.last_failure.clone_from(&session.last_failure);
        }
    });
    pages::form(&session, *channel)
}

fn challenged(world: &World, link: &str, saved: Saved) -> Response {
    let attempt = object_id();
    world.with(|state, _| {
        if let Some(session) = state.books.xendit.session_by_link(link) {
            session.challenges.insert(attempt.clone(), saved);
        }
    });
    Redirect::to(&format!("/pay/{link}/challenge/{attempt}")).into_response()
}

async fn challenge(
    State(world): State<Arc<World>>,
    Path((link, attempt)): Path<(String, String)>,
) -> Response {
    let Some(session) = session_of(&world, &link) else { return pages::unknown() };
    match session.challenges.get(&attempt) {
        Some(saved) if session.is_active() => pages::challenge(&session, &attempt, &saved.channel),
        _ => pages::over(&session),
    }
}

async fn answer(
    State(world): State<Arc<World>>,
    Path((link, attempt)): Path<(String, String)>,
    Form(form): Form<HashMap<String, String>>,
) -> Response {
    let Some(session) = session_of(&world, &link) else { return pages::unknown() };
    let saved = world.with(|state, _| {
        state.books.xendit.session_by_link(&link).and_then(|session| session.challenges.remove(&attempt))
    });
    let Some(saved) = saved.filter(|_| session.is_active()) else { return pages::over(&session) };
    if form.get("decision").map(String::as_str) == Some("approve") {
        return succeed(&world, &session, saved);
    }
    let channel = saved.channel.clone();
    decline(&world, session.id(), saved, "AUTHENTICATION_FAILED");
    Redirect::to(&format!("/pay/{link}?channel={channel}")).into_response()
}

fn succeed(world: &World, session: &Session, saved: Saved) -> Response {
    complete(world, session.id(), Some(saved), None, None);
    go_to(session.text("success_return_url"))
}

/// A 303, so that the browser comes with GET.
fn go_to(url: &str) -> Response {
    if url.is_empty() { pages::nowhere() } else { Redirect::to(url).into_response() }
}

async fn give_up(State(world): State<Arc<World>>, Path(link): Path<String>) -> Response {
    let Some(session) = session_of(&world, &link) else { return pages::unknown() };
    go_to(session.text("cancel_return_url"))
}

async fn expire(State(world): State<Arc<World>>, Path(link): Path<String>) -> Response {
    world.with(|state, now| {
        if let Some(session) = state.books.xendit.session_by_link(&link) {
            session.expires_at = now;
        }
    });
    Redirect::to(&format!("/pay/{link}")).into_response()
}

/// Saves what the customer chose: token, session, webhooks. With nothing chosen it is a card. Says
/// the token's id; `None` when the session is not open.
pub(crate) fn complete(
    world: &World,
    session_id: &str,
    saved: Option<Saved>,
    choice: Option<(&str, Option<&str>)>,
    token_status: Option<&str>,
) -> Option<String> {
    let business = world.config.business_id.clone();
    world.with(|state, now| {
        let session = state.books.xendit.session(session_id).filter(|session| session.is_active())?.clone();
        let saved = match saved {
            Some(saved) => saved,
            None => chosen(&session, choice)?,
        };
        let token = state.books.xendit.make_token(session_id, &saved, token_status, now)?;
        let id = token.get("payment_token_id").and_then(Value::as_str)?.to_owned();
        let session = state.books.xendit.session(session_id)?;
        session.set_status("COMPLETED", now);
        session.object.insert("payment_token_id".to_owned(), id.clone().into());
        let object = Value::Object(session.object.clone());
        state.outbox.push("payment_session.completed", &object, Some(business.clone()), now);
        if token.get("status").and_then(Value::as_str) == Some("ACTIVE") {
            state.outbox.push("payment_token.activation", &Value::Object(token), Some(business), now);
        }
        Some(id)
    })
}

fn chosen(session: &Session, choice: Option<(&str, Option<&str>)>) -> Option<Saved> {
    let offered = offered(session);
    let (code, number) = choice.unwrap_or(("CARDS", None));
    let channel = match choice {
        Some(_) => offered.iter().find(|channel| channel.code == code)?,
        None => offered.first()?,
    };
    Some(match channel.kind {
        Kind::Card => {
            card_saved(cards::find(number.unwrap_or("4000000000001091"))?, "12", "2034", "Lorem Ipsum")
        }
        Kind::Wallet => wallet(channel),
        Kind::Debit => debit(channel, number.unwrap_or("1234567890")),
    })
}

/// One failed attempt: a failed token and its webhook; the session stays open.
pub(crate) fn decline(world: &World, session_id: &str, saved: Saved, failure_code: &str) -> bool {
    let business = world.config.business_id.clone();
    world.with(|state, now| {
        if state.books.xendit.session(session_id).is_none_or(|session| !session.is_active()) {
            return false;
        }
        let made = state.books.xendit.make_token(session_id, &saved, Some("FAILED"), now);
        let id = made.as_ref().and_then(|token| token.get("payment_token_id")?.as_str()).unwrap_or_default();
        let Some(token) = state.books.xendit.token_of(None, id) else { return false };
        token.insert("failure_code".to_owned(), failure_code.into());
        let token = token.clone();
        if let Some(session) = state.books.xendit.session(session_id) {
            session.last_failure = Some(format!("The attempt failed: {failure_code}. You can try again."));
        }
        state.outbox.push("payment_token.failure", &Value::Object(token), Some(business), now);
        true
    })
}

/// A declined card, for the control API.
pub(crate) fn decline_any(world: &World, session_id: &str, failure_code: &str) -> bool {
    let card = cards::TEST_CARDS[0];
    decline(world, session_id, card_saved(card, "12", "2034", "Lorem Ipsum"), failure_code)
}

fn card_form(field: &dyn Fn(&str) -> String, now: i64) -> Result<(TestCard, Saved), String> {
    let card =
        cards::find(&field("card-number")).ok_or("This card is not one of the test cards listed below")?;
    let month: i8 = field("card-expiry-month").parse().map_err(|_| "Enter the month of expiry")?;
    let year: i16 = field("card-expiry-year").parse().map_err(|_| "Enter the year of expiry")?;
    let year = if year < 100 { year + 2000 } else { year };
    if !(1..=12).contains(&month) || (year, month) < year_and_month(now) || year > 2099 {
        return Err("Enter an expiry date in the future".to_owned());
    }
    let digits = if card.network == "AMEX" { 4 } else { 3 };
    let cvv = field("card-cvv");
    if cvv.len() != digits || !cvv.bytes().all(|b| b.is_ascii_digit()) {
        return Err(format!("Enter the {digits} digits of the security code"));
    }
    let name = field("card-name");
    if name.is_empty() {
        return Err("Enter the name on the card".to_owned());
    }
    Ok((card, card_saved(card, &format!("{month:02}"), &year.to_string(), &name)))
}

fn card_saved(card: TestCard, month: &str, year: &str, name: &str) -> Saved {
    let (first, last) = name.split_once(' ').unwrap_or((name, ""));
    let number = card.number;
    let masked = format!("{}{}{}", &number[..6], "X".repeat(number.len() - 10), &number[number.len() - 4..]);
    let properties = json!({
        "card_details": {
            "type": "CREDIT", "issuer": "PT BANK EXAMPLE", "country": "ID", "network": card.network,
            "fingerprint": fingerprint(number), "masked_card_number": masked,
            "expiry_year": year, "expiry_month": month,
            "cardholder_first_name": first, "cardholder_last_name": last,
        },
        "skip_three_ds": false,
    });
    let details = json!({"authentication_data": {"flow": "FULL_AUTH"}, "authorization_data": {"authorization_code": "A1"}});
    Saved { channel: "CARDS".to_owned(), properties, details }
}

/// 24 hexadecimal digits that are the same for the same number.
fn fingerprint(number: &str) -> String {
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    for byte in number.bytes() {
        hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    }
    format!("64bb0000{hash:016x}")
}

fn wallet(channel: &Channel) -> Saved {
    Saved {
        channel: channel.code.to_owned(),
        properties: json!({}),
        details: json!({"account_name": "Lorem Ipsum", "account_balance": "1000001", "account_point_balance": "50000"}),
    }
}

fn debit(channel: &Channel, number: &str) -> Saved {
    Saved {
        channel: channel.code.to_owned(),
        properties: json!({}),
        details: json!({"account_name": "Lorem Ipsum", "account_number": number}),
    }
}
