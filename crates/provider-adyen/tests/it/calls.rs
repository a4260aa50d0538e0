//! Each call over prepared answers: what is made of every answer, and what is asked next.

use billfold_core::capability::Usage;
use billfold_core::clock::Timestamp;
use billfold_core::error::Retry;
use billfold_core::provider::{
    CreateSession, Deletion, NextAction, ProviderMethodStatus, ProviderSession, ProviderSessionStatus,
    ReturnRequest, SessionRef, TokenRef,
};
use billfold_core::secret::ExposeSecret;
use billfold_core::{Error, ErrorKind, Result};
use serde_json::{Value, json};

use crate::script::{SESSION, Script, TOKEN, context, list, provider, refusal};

const OTHER: &str = "ses_018f0000000070008000000000000002";
const WITH_RESULT: &str = "sessionId=CS1&sessionResult=r";

/// A session asked about after a return, over these answers.
async fn fetched(query: &str, answers: Vec<(u16, Value)>) -> (Result<ProviderSession>, Vec<String>) {
    let (script, provider) = (Script::of(answers), provider());
    let mut session = SessionRef::new(SESSION);
    session.evidence = provider.read_return(&ReturnRequest::new(query)).evidence;
    let outcome = provider.fetch_session(&context(&script), session).await;
    let paths = script.seen().into_iter().map(|seen| seen.lines().next().unwrap_or_default().to_owned());
    (outcome, paths.collect())
}

async fn status(query: &str, answers: Vec<(u16, Value)>) -> ProviderSessionStatus {
    let count = answers.len();
    let (outcome, asked) = fetched(query, answers).await;
    assert_eq!(asked.len(), count, "{asked:?}");
    let session = outcome.unwrap();
    assert_eq!(session.echo.reference.as_deref(), Some(SESSION));
    session.status
}

#[tokio::test]
async fn what_is_listed_is_saved_whoever_asks() {
    use ProviderSessionStatus as S;
    assert_eq!(status("", vec![(200, list(&[TOKEN]))]).await, S::Completed);
    assert_eq!(status(WITH_RESULT, vec![(200, list(&[TOKEN]))]).await, S::Completed, "nothing else is asked");
    assert_eq!(status("", vec![(200, list(&[]))]).await, S::Active);
    let (outcome, _) = fetched("", vec![(200, list(&[TOKEN, "A1"]))]).await;
    let methods = outcome.unwrap().methods;
    assert_eq!(methods.len(), 2);
    assert_eq!(methods[0].token.token.expose_secret(), TOKEN);
    assert_eq!(methods[0].token.customer.as_deref(), Some(SESSION));
}

#[tokio::test]
async fn a_result_is_asked_about_and_only_an_end_is_an_end() {
    use ProviderSessionStatus as S;
    let result = |status: &str| (200, json!({"id": "CS1", "reference": SESSION, "status": status}));
    for (word, expected) in [
        ("refused", S::Failed),
        ("expired", S::Expired),
        ("canceled", S::Active),
        ("active", S::Active),
        ("half_done_and_new", S::Unknown),
    ] {
        assert_eq!(status(WITH_RESULT, vec![(200, list(&[])), result(word)]).await, expected, "{word}");
    }
    for word in ["completed", "paymentPending"] {
        let without_token = vec![(200, list(&[])), result(word), (200, list(&[]))];
        assert_eq!(status(WITH_RESULT, without_token).await, S::Processing, "{word}");
        let with_token = vec![(200, list(&[])), result(word), (200, list(&[TOKEN]))];
        assert_eq!(status(WITH_RESULT, with_token).await, S::Completed, "{word}");
    }
}

/// Whoever completed a session of their own may bring its result to the return address of another.
#[tokio::test]
async fn a_result_of_another_session_says_nothing() {
    use ProviderSessionStatus as S;
    for answer in [
        json!({"id": "CS1", "reference": OTHER, "status": "refused"}),
        json!({"id": "CS1", "status": "refused"}),
        json!({"id": "CS2", "reference": SESSION, "status": "refused"}),
        json!({}),
    ] {
        let answers = vec![(200, list(&[])), (200, answer.clone())];
        assert_eq!(status(WITH_RESULT, answers).await, S::Active, "{answer}");
    }
    for answer in [
        json!({"resultCode": "Authorised", "merchantReference": OTHER}),
        json!({"resultCode": "Authorised"}),
        json!({}),
    ] {
        let answers = vec![(200, list(&[])), (200, answer.clone())];
        assert_eq!(status("redirectResult=x", answers).await, S::Active, "{answer}");
    }
    for query in [WITH_RESULT, "redirectResult=x"] {
        assert_eq!(status(query, vec![(200, list(&[])), (422, refusal("702"))]).await, S::Active, "{query}");
    }
}

#[tokio::test]
async fn a_redirect_is_finished() {
    use ProviderSessionStatus as S;
    let result = |code: &str| (200, json!({"resultCode": code, "merchantReference": SESSION}));
    for code in ["Authorised", "Pending", "Received"] {
        let answers = vec![(200, list(&[])), result(code), (200, list(&[]))];
        assert_eq!(status("redirectResult=x", answers).await, S::Processing, "{code}");
    }
    let saved = vec![(200, list(&[])), result("Authorised"), (200, list(&[TOKEN]))];
    assert_eq!(status("redirectResult=x", saved).await, S::Completed);
    for code in ["Refused", "Cancelled", "Error", "NewWord"] {
        assert_eq!(
            status("redirectResult=x", vec![(200, list(&[])), result(code)]).await,
            S::Active,
            "{code}"
        );
    }
    let key = |result: &'static str| async move {
        let (script, provider) = (Script::of([(200, list(&[]))]), provider());
        let mut session = SessionRef::new(SESSION);
        session.evidence =
            provider.read_return(&ReturnRequest::new(format!("redirectResult={result}"))).evidence;
        let outcome = provider.fetch_session(&context(&script), session).await;
        assert!(outcome.is_err(), "its answer was lost");
        let sent = script.seen().pop().unwrap();
        let key = sent.lines().find_map(|line| line.strip_prefix("idempotency-key: ").map(str::to_owned));
        key.unwrap()
    };
    let (first, again, other) = (key("x").await, key("x").await, key("y").await);
    assert!(first == again && first != other && first != SESSION, "{first} {again} {other}");
    assert!(first.len() <= 64, "{first}");
}

#[tokio::test]
async fn trouble_is_no_answer() {
    for answers in [
        vec![],
        vec![(500, json!({}))],
        vec![(200, json!({}))],
        vec![(200, json!({"shopperReference": OTHER, "storedPaymentMethods": []}))],
        vec![(200, list(&[])), (500, json!({}))],
        vec![(200, list(&[])), (404, json!({}))],
        vec![(200, list(&[])), (401, refusal("000"))],
        vec![(200, list(&[])), (200, json!([]))],
    ] {
        let (outcome, _) = fetched(WITH_RESULT, answers.clone()).await;
        assert!(outcome.is_err(), "{answers:?}");
    }
}

#[tokio::test]
async fn a_canceled_session_is_over_here_unless_it_saved_something() {
    use ProviderSessionStatus as S;
    for (tokens, expected) in [(vec![], S::Canceled), (vec![TOKEN], S::Completed)] {
        let (script, provider) = (Script::of([(200, list(&tokens))]), provider());
        let outcome = provider.cancel_session(&context(&script), SessionRef::new(SESSION)).await.unwrap();
        assert_eq!((outcome.status, outcome.methods.len()), (expected, tokens.len()));
    }
    for id in ["CS1A2B3C", "", "ses_1", "ses_018f000000007000800000000000000/"] {
        let (script, provider) = (Script::of([]), provider());
        let error = provider.cancel_session(&context(&script), SessionRef::new(id)).await.unwrap_err();
        assert_eq!((error.kind(), script.seen().len()), (ErrorKind::GatewayRejected, 0), "{id}");
    }
}

fn token() -> TokenRef {
    let mut token = TokenRef::new(TOKEN);
    token.customer = Some(SESSION.to_owned());
    token
}

#[tokio::test]
async fn a_method_that_is_not_listed_was_disabled() {
    for (tokens, expected) in [
        (vec!["A1", TOKEN], ProviderMethodStatus::Active),
        (vec!["A1"], ProviderMethodStatus::Revoked),
        (vec![], ProviderMethodStatus::Revoked),
    ] {
        let (script, provider) = (Script::of([(200, list(&tokens))]), provider());
        let method = provider.fetch_method(&context(&script), token()).await.unwrap();
        assert_eq!((method.status, method.token.token.expose_secret()), (expected, TOKEN), "{tokens:?}");
    }
    for answer in [(200, json!({})), (422, refusal("1")), (500, json!({}))] {
        let (script, provider) = (Script::of([answer.clone()]), provider());
        assert!(provider.fetch_method(&context(&script), token()).await.is_err(), "{answer:?}");
    }
    let (script, provider) = (Script::of([]), provider());
    let alone = provider.fetch_method(&context(&script), TokenRef::new(TOKEN)).await;
    assert!(alone.is_err() && script.seen().is_empty(), "a token without its shopper cannot be asked about");
}

async fn deleted(answers: Vec<(u16, Value)>) -> Result<Deletion> {
    let script = Script::of(answers);
    provider().delete_method(&context(&script), token()).await
}

#[tokio::test]
async fn only_the_gateways_own_word_is_a_deletion() {
    assert_eq!(deleted(vec![(204, Value::Null)]).await.unwrap(), Deletion::Deleted);
    let gone = vec![(422, refusal("803")), (200, list(&[]))];
    assert_eq!(deleted(gone).await.unwrap(), Deletion::AlreadyGone);
    let gone = vec![(404, refusal("803")), (200, list(&["A1"]))];
    assert_eq!(deleted(gone).await.unwrap(), Deletion::AlreadyGone);
    let error = deleted(vec![(422, refusal("803")), (200, list(&[TOKEN]))]).await.unwrap_err();
    assert_eq!(error.fault().unwrap().code.as_deref(), Some("803"), "it is still there");
    for answers in [
        vec![],
        vec![(200, json!({}))],
        vec![(404, json!({}))],
        vec![(403, refusal("010"))],
        vec![(500, json!({}))],
        vec![(422, refusal("803"))],
        vec![(422, refusal("803")), (200, json!({}))],
    ] {
        assert!(deleted(answers.clone()).await.is_err(), "{answers:?}");
    }
}

async fn created(status: u16, headers: &[(&str, &str)], body: Value, flow: &str) -> Result<ProviderSession> {
    let script = Script::of([]);
    script.then(status, headers, &body.to_string());
    let back: url::Url = "https://pay.shop.example/return/1".parse().unwrap();
    let (currency, country) = ("EUR".parse().unwrap(), "NL".parse().unwrap());
    let at = Timestamp::from_millis(1_780_003_600_000);
    let mut request =
        CreateSession::new(SESSION, "c", Usage::OnSession, currency, country, back.clone(), back, at);
    request.provider_options = Some(json!({"flow": flow}));
    provider().create_session(&context(&script), request).await
}

#[tokio::test]
async fn a_session_leads_to_a_page_or_gives_the_script_what_it_wants() {
    let answer = json!({"id": "CS1", "reference": SESSION, "url": "https://checkout.example/1",
        "expiresAt": "2026-05-28T22:26:40+01:00", "sessionData": "Ab02"});
    let made = created(201, &[], answer.clone(), "hosted").await.unwrap();
    assert_eq!((made.reference.as_str(), made.echo.reference.as_deref()), (SESSION, Some(SESSION)));
    assert_eq!(made.expires_at, Some(Timestamp::from_millis(1_780_003_600_000)));
    assert!(matches!(made.next, Some(NextAction::Redirect(url)) if url.expose_secret().ends_with("/1")));
    let made = created(201, &[], answer, "embedded").await.unwrap();
    let Some(NextAction::ClientSecret(secret)) = made.next else { panic!("no secret") };
    let secret: Value = serde_json::from_str(secret.expose_secret()).unwrap();
    assert_eq!(secret, json!({"id": "CS1", "sessionData": "Ab02"}));
}

#[tokio::test]
async fn creating_fails_as_the_answer_says() {
    let check = |error: &Error, kind: ErrorKind, retry: Retry, what: &str| {
        assert_eq!((error.kind(), error.retry()), (kind, retry), "{what}: {error:?}");
        assert!(!format!("{error} {error:?}").contains("CANARY"), "the gateway's own words: {what}");
    };
    for (status, kind, retry) in [
        (400, ErrorKind::GatewayRejected, Retry::Never),
        (401, ErrorKind::GatewayAuthentication, Retry::Never),
        (403, ErrorKind::GatewayAuthentication, Retry::Never),
        (422, ErrorKind::GatewayRejected, Retry::Never),
        (500, ErrorKind::GatewayUnavailable, Retry::OutcomeUnknown),
        (302, ErrorKind::GatewayProtocol, Retry::OutcomeUnknown),
    ] {
        let error = created(status, &[], refusal("702"), "hosted").await.unwrap_err();
        check(&error, kind, retry, &status.to_string());
        let fault = error.fault().unwrap();
        assert_eq!((fault.code.as_deref(), fault.request_id.as_deref()), (Some("702"), Some("P1")));
    }
    // The gateway did nothing, and says that the same key works again.
    for status in [422, 500] {
        let headers = [("transient-error", "true"), ("pspreference", "P2")];
        let error = created(status, &headers, refusal("704"), "hosted").await.unwrap_err();
        check(&error, ErrorKind::GatewayUnavailable, Retry::SameKey { after: None }, "a passing error");
        assert_eq!(error.fault().unwrap().request_id.as_deref(), Some("P2"));
    }
    for (flow, body) in [
        ("hosted", json!({"id": "CS1", "sessionData": "Ab02"})),
        ("embedded", json!({"id": "CS1", "url": "https://checkout.example/1"})),
        ("embedded", json!({"sessionData": "Ab02"})),
        ("hosted", json!([])),
    ] {
        let error = created(201, &[], body.clone(), flow).await.unwrap_err();
        check(&error, ErrorKind::GatewayProtocol, Retry::OutcomeUnknown, &body.to_string());
    }
}

#[tokio::test]
async fn credentials_are_proven_by_a_list() {
    for (status, body, good) in [
        (200, list(&[]).to_string(), true),
        (200, "{}".to_owned(), true),
        (200, "<html></html>".to_owned(), false),
        (401, refusal("000").to_string(), false),
        (403, refusal("901").to_string(), false),
        (404, String::new(), false),
    ] {
        let script = Script::of([]);
        script.then(status, &[], &body);
        assert_eq!(provider().check(&context(&script)).await.is_ok(), good, "{status} {body}");
    }
}
