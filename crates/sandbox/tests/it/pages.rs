//! The hosted page, played over plain HTTP: choose, fill in, confirm, fail and try again, give up, be late.

use billfold_sandbox::CompleteSession;
use serde_json::{Value, json};

use crate::support::{Answer, CANCEL_URL, SUCCESS_URL, World, send};

fn link(session: &Value) -> String {
    session["payment_link_url"].as_str().unwrap().to_owned()
}

async fn open(world: &World, url: &str) -> Answer {
    let answer = send(world.bare("GET", url)).await;
    assert!(answer.header("content-type").starts_with("text/html"), "{answer:?}");
    // A page that cannot run anything, and is not kept.
    assert!(answer.header("content-security-policy").starts_with("default-src 'none'"));
    assert_eq!(
        (answer.header("cache-control"), answer.header("referrer-policy")),
        ("no-store", "no-referrer")
    );
    assert!(!answer.text.contains("<script"));
    answer
}

async fn send_form(world: &World, url: &str, form: &[(&str, &str)]) -> Answer {
    send(world.bare("POST", url).form(form)).await
}

const CARD: [(&str, &str); 6] = [
    ("channel", "CARDS"),
    ("card-number", "4000 0000 0000 1000"),
    ("card-expiry-month", "12"),
    ("card-expiry-year", "2034"),
    ("card-cvv", "123"),
    ("card-name", "Lorem Ipsum"),
];

/// Fills in the form for a card, with other values where they are given.
async fn submit_card(world: &World, session: &Value, other: &[(&str, &str)]) -> Answer {
    let mut form = CARD;
    for field in &mut form {
        if let Some((_, value)) = other.iter().find(|(name, _)| *name == field.0) {
            field.1 = value;
        }
    }
    send_form(world, &format!("{}/submit", link(session)), &form).await
}

/// The address that a redirect leads to; with 303 a browser comes by GET.
fn leads_to(answer: &Answer) -> &str {
    assert_eq!(answer.status, 303, "{answer:?}");
    answer.header("location")
}

#[tokio::test]
async fn a_card_is_saved_at_once_or_after_confirmation() {
    let world = World::start().await;
    for (number, cvv, network, challenge) in [
        ("4000000000001000", "123", "VISA", false),
        ("4000-0000-0000-1091", "123", "VISA", false),
        ("5200000000001005", "123", "MASTERCARD", false),
        ("5123456789012346", "123", "MASTERCARD", false),
        ("378282246310005", "1234", "AMEX", false),
        ("340000000002708", "1234", "AMEX", false),
        ("1889800000000171", "123", "BCA", false),
        ("4000000000002503", "123", "VISA", true),
        ("4440000009900010", "123", "VISA", true),
        ("5200000000002151", "123", "MASTERCARD", true),
        ("5123450000000008", "123", "MASTERCARD", true),
        ("3337000000000008", "123", "JCB", true),
        ("340000000002534", "1234", "AMEX", true),
    ] {
        let session = world.create(&json!({})).await;
        let mut answer = submit_card(&world, &session, &[("card-number", number), ("card-cvv", cvv)]).await;
        if challenge {
            assert_eq!(world.status(&session).await, "ACTIVE", "{number}");
            let page = leads_to(&answer).to_owned();
            let text = open(&world, &page).await.text;
            assert!(text.contains("value=\"approve\"") && text.contains("value=\"fail\""), "{number}");
            answer = send_form(&world, &page, &[("decision", "approve")]).await;
        }
        assert_eq!(leads_to(&answer), SUCCESS_URL, "{number}");
        assert_eq!(world.status(&session).await, "COMPLETED", "{number}");
        let token = world.control().tokens().pop().unwrap();
        assert_eq!(token["channel_properties"]["card_details"]["network"], network, "{number}");
    }
}

#[tokio::test]
async fn the_page_offers_what_the_session_allows() {
    let world = World::start().await;
    let all = world.create(&json!({"description": "For <b>later</b>"})).await;
    let page = open(&world, &link(&all)).await;
    assert_eq!(page.status, 200);
    for code in ["CARDS", "OVO", "BRI_DIRECT_DEBIT", "SHOPEEPAY"] {
        assert!(page.text.contains(&format!("id=\"channel-{code}\"")), "{code}");
    }
    assert!(page.text.contains("For &lt;b&gt;later&lt;/b&gt;"));
    let form = open(&world, &format!("{}?channel=CARDS", link(&all))).await.text;
    for (name, _) in &CARD[1..] {
        assert!(form.contains(&format!("name=\"{name}\"")), "{name}");
    }
    let two = world.create(&json!({"allowed_payment_channels": ["CARDS", "OVO"]})).await;
    let page = open(&world, &link(&two)).await.text;
    assert!(page.contains("channel-OVO") && !page.contains("channel-DANA"));
    // With one channel there is nothing to choose.
    let one = world.create(&json!({"allowed_payment_channels": ["OVO"]})).await;
    assert!(open(&world, &link(&one)).await.text.contains("name=\"phone\""));
    // What is not offered cannot be sent.
    let answer = submit_card(&world, &one, &[]).await;
    assert_eq!((answer.status, world.status(&one).await.as_str()), (200, "ACTIVE"));
}

#[tokio::test]
async fn wallets_and_banks_ask_on_a_page_of_their_own() {
    let world = World::start().await;
    for (channel, field, wrong, right) in [
        ("OVO", "phone", "", "+62812345678"),
        ("BRI_DIRECT_DEBIT", "account-number", "1234567", "1234567890"),
    ] {
        let session = world.create(&json!({})).await;
        let submit = format!("{}/submit", link(&session));
        let answer = send_form(&world, &submit, &[("channel", channel), (field, wrong)]).await;
        assert!(answer.status == 200 && answer.text.contains("id=\"error\""), "{channel}: {answer:?}");
        let answer = send_form(&world, &submit, &[("channel", channel), (field, right)]).await;
        let page = leads_to(&answer).to_owned();
        assert_eq!(world.status(&session).await, "ACTIVE", "{channel}");
        let answer = send_form(&world, &page, &[("decision", "approve")]).await;
        assert_eq!(leads_to(&answer), SUCCESS_URL, "{channel}");
        assert_eq!(world.control().tokens().pop().unwrap()["channel_code"], channel);
    }
}

#[tokio::test]
async fn a_form_that_is_wrong_is_shown_again() {
    let world = World::start().await;
    let session = world.create(&json!({})).await;
    for wrong in [
        ("card-number", "4111111111111111"),
        ("card-number", ""),
        ("card-expiry-month", "13"),
        ("card-expiry-month", "x"),
        ("card-expiry-year", "2019"),
        ("card-expiry-year", ""),
        ("card-cvv", "12"),
        ("card-cvv", "1234"),
        ("card-cvv", "abc"),
        ("card-name", " "),
    ] {
        let answer = submit_card(&world, &session, &[wrong]).await;
        assert!(answer.status == 200 && answer.text.contains("id=\"error\""), "{wrong:?}: {answer:?}");
        assert_eq!(world.status(&session).await, "ACTIVE", "{wrong:?}");
    }
    assert!(world.control().tokens().is_empty() && world.control().deliveries().is_empty());
}

/// Expiry is judged by the sandbox's own clock, which tests move.
#[tokio::test]
async fn a_card_that_has_expired_is_refused() {
    let world = World::start().await;
    let session = world.create(&json!({})).await;
    let created = session["created"].as_str().unwrap();
    let (year, month) = (created[..4].to_owned(), created[5..7].to_owned());
    let this_month = [("card-expiry-month", month.as_str()), ("card-expiry-year", year.as_str())];
    // A card is good until the end of its month; this one a month from now is not.
    world.control().advance(32 * 24 * 3600);
    let session = world.create(&json!({})).await;
    let answer = submit_card(&world, &session, &this_month).await;
    assert!(answer.status == 200 && answer.text.contains("id=\"error\""), "{answer:?}");
    let now = session["created"].as_str().unwrap();
    let this_month = [("card-expiry-month", &now[5..7]), ("card-expiry-year", &now[2..4])];
    assert_eq!(leads_to(&submit_card(&world, &session, &this_month).await), SUCCESS_URL);
}

#[tokio::test]
async fn a_customer_who_fails_tries_again_in_the_same_session() {
    let world = World::start().await;
    let session = world.create(&json!({})).await;
    let challenge = [("card-number", "4000000000002503")];
    let page = leads_to(&submit_card(&world, &session, &challenge).await).to_owned();
    let answer = send_form(&world, &page, &[("decision", "fail")]).await;
    let back = leads_to(&answer).to_owned();
    let form = open(&world, &back).await.text;
    assert!(form.contains("AUTHENTICATION_FAILED") && form.contains("name=\"card-number\""));
    assert_eq!(world.status(&session).await, "ACTIVE");
    // An answer counts once.
    let again = send_form(&world, &page, &[("decision", "approve")]).await;
    assert_eq!((again.status, world.status(&session).await.as_str()), (200, "ACTIVE"));
    assert_eq!(leads_to(&submit_card(&world, &session, &[]).await), SUCCESS_URL);
    let statuses: Vec<_> = world.control().tokens().iter().map(|token| token["status"].clone()).collect();
    assert_eq!(statuses, ["FAILED", "ACTIVE"]);
    let events: Vec<_> = world.control().deliveries().iter().map(|delivery| delivery.event.clone()).collect();
    assert_eq!(events, ["payment_token.failure", "payment_session.completed", "payment_token.activation"]);
}

#[tokio::test]
async fn a_customer_who_gives_up_may_come_back() {
    let world = World::start().await;
    let session = world.create(&json!({})).await;
    let answer = send_form(&world, &format!("{}/cancel", link(&session)), &[]).await;
    assert_eq!(leads_to(&answer), CANCEL_URL);
    assert_eq!(world.status(&session).await, "ACTIVE");
    assert_eq!(leads_to(&submit_card(&world, &session, &[]).await), SUCCESS_URL);
}

#[tokio::test]
async fn without_return_addresses_the_page_says_that_it_is_done() {
    let world = World::start().await;
    let session = world.create(&json!({"success_return_url": "absent", "cancel_return_url": "absent"})).await;
    assert_eq!(send_form(&world, &format!("{}/cancel", link(&session)), &[]).await.status, 200);
    let answer = submit_card(&world, &session, &[]).await;
    assert!(answer.status == 200 && answer.text.contains("Done"), "{answer:?}");
}

/// The page of a session that is over, however it ended, saves nothing more.
#[tokio::test]
async fn the_page_of_a_session_that_is_over_says_so() {
    let world = World::start().await;
    let (completed, _) = world.completed(&CompleteSession::default()).await;
    let canceled = world.create(&json!({})).await;
    let path = format!("/sessions/{}/cancel", crate::support::id(&canceled));
    send(world.call("POST", &path)).await.ok(200);
    let expired = world.create(&json!({})).await;
    let pending =
        leads_to(&submit_card(&world, &expired, &[("card-number", "4000000000002503")]).await).to_owned();
    assert_eq!(leads_to(&send_form(&world, &format!("{}/expire", link(&expired)), &[]).await), {
        let url: url::Url = link(&expired).parse().unwrap();
        url.path().to_owned()
    });
    for (session, status) in [(completed, "completed"), (canceled, "canceled"), (expired, "expired")] {
        let page = open(&world, &link(&session)).await;
        assert!(page.text.contains(&format!("This session is {status}")), "{status}");
        assert!(!page.text.contains("name=\"card-number\""));
        assert_eq!(submit_card(&world, &session, &[]).await.status, 200);
        assert_eq!(world.status(&session).await, status.to_uppercase());
    }
    assert!(open(&world, &pending).await.text.contains("This session is expired"));
    assert_eq!(send_form(&world, &pending, &[("decision", "approve")]).await.status, 200);
    assert_eq!(world.control().tokens().len(), 1);
    assert_eq!(open(&world, "/pay/00000000000000000000000000000000").await.status, 404);
}

/// The link is all that a customer needs, so it tells nothing and cannot be guessed.
#[tokio::test]
async fn links_are_unguessable() {
    let world = World::start().await;
    let sessions = [world.create(&json!({})).await, world.create(&json!({})).await];
    let links = sessions.each_ref().map(link);
    assert_ne!(links[0], links[1]);
    for (session, link) in sessions.iter().zip(&links) {
        let secret = link.rsplit('/').next().unwrap();
        assert!(secret.len() == 32 && secret.bytes().all(|byte| byte.is_ascii_hexdigit()), "{link}");
        assert!(!link.contains(&crate::support::id(session)));
    }
}
