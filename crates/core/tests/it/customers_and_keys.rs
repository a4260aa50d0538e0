//! Customers, API keys, tenants, and what is refused before anything is stored.

use std::time::Duration;

use billfold_core::capability::Usage;
use billfold_core::name::TenantId;
use billfold_core::provider::CustomerProfile;
use billfold_core::scope::{Scope, Scopes};
use billfold_core::secret::ExposeSecret;
use billfold_core::store::{Page, Store};
use billfold_core::{CustomerSelector, ErrorKind, Principal};

use crate::support::{World, request};

fn other() -> TenantId {
    "other".parse().unwrap()
}

fn operator(tenant: TenantId) -> Principal {
    Principal::operator(tenant, "tester")
}

#[tokio::test]
async fn every_wrong_field_is_named_and_nothing_is_stored() {
    let world = World::new();
    let mut wrong = request("c-1");
    wrong.country = "PH".parse().unwrap();
    wrong.usage = Usage::Recurring;
    wrong.return_url = "http://shop.example/".parse().unwrap();
    wrong.expires_at = Some(world.billfold.clock().now().plus(Duration::from_mins(5)));
    wrong.metadata.insert("k".repeat(41), "v".into());
    wrong.channels = vec!["PURSE".into()];
    wrong.customer = CustomerSelector::reference(
        "c-1",
        CustomerProfile { given_names: Some("x".repeat(51)), ..CustomerProfile::default() },
    );
    let error = world.billfold.start_session(&world.tenant, wrong).await.unwrap_err();
    let pointers: Vec<&str> = error.fields().iter().map(|field| field.pointer.as_str()).collect();
    let key = format!("/metadata/{}", "k".repeat(41));
    assert_eq!(
        pointers,
        ["/currency", "/recurring", "/expires_at", key.as_str(), "/return_url", "/customer/given_names"]
    );
    assert!(world.store.customers(&world.tenant, Page::first(1)).await.unwrap().is_empty());
    assert!(world.gateway.calls().is_empty());
}

#[tokio::test]
async fn a_channel_must_serve_the_country_and_the_use() {
    let world = World::new();
    let mut wrong = request("c-1");
    wrong.channels = vec!["CARD".into(), "PIGEON".into()];
    let error = world.billfold.start_session(&world.tenant, wrong).await.unwrap_err();
    assert_eq!(error.fields()[0].pointer, "/channels/1");
    assert!(error.fields()[0].message.contains("CARD, PURSE"), "{}", error.fields()[0].message);
}

#[tokio::test]
async fn a_selector_names_exactly_one_customer() {
    let world = World::new();
    let known = world.billfold.save_customer(&world.tenant, "c-1", CustomerProfile::default()).await.unwrap();
    let both =
        CustomerSelector { id: Some(known.id), reference: Some("c-1".into()), ..CustomerSelector::default() };
    let foreign = world.billfold.save_customer(&other(), "c-9", CustomerProfile::default()).await.unwrap();
    let foreign = CustomerSelector { id: Some(foreign.id), ..CustomerSelector::default() };
    for (customer, pointer) in [
        (CustomerSelector::default(), "/customer"),
        (both, "/customer"),
        (foreign, "/customer/id"),
        (CustomerSelector::reference(" c", CustomerProfile::default()), "/customer/reference"),
    ] {
        let mut wrong = request("c-1");
        wrong.customer = customer;
        let error = world.billfold.start_session(&world.tenant, wrong).await.unwrap_err();
        assert_eq!(error.fields()[0].pointer, pointer);
    }
}

#[tokio::test]
async fn tenants_never_meet() {
    let world = World::new();
    let session = world.start("c-1").await;
    let refused = world.billfold.get_session(&other(), session.id).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::NotFound);
    let refused = world.billfold.get_customer(&other(), session.customer_id).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::NotFound);
    let refused = world.billfold.start_session(&other(), request("c-1")).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Configuration);
    assert!(world.billfold.list_sessions(&other(), None, Page::first(10)).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_profile_is_sealed_and_updated() {
    let world = World::new();
    let profile = CustomerProfile { email: Some("CANARY@example.com".into()), ..CustomerProfile::default() };
    let made = world.billfold.save_customer(&world.tenant, "c-1", profile.clone()).await.unwrap();
    let row = world.store.customer(&world.tenant, made.id).await.unwrap().unwrap();
    let record = world.store.vault_record(&world.tenant, row.profile).await.unwrap().unwrap();
    assert!(!record.sealed.as_bytes().windows(6).any(|window| window == b"CANARY"));
    assert_eq!((record.owner, record.version), (made.id.to_string(), 1));
    // An empty profile leaves the stored one alone; another one replaces it.
    let same = world.billfold.save_customer(&world.tenant, "c-1", CustomerProfile::default()).await.unwrap();
    assert_eq!((same.id, same.profile), (made.id, profile));
    let renamed = CustomerProfile { surname: Some("Ipsum".into()), ..CustomerProfile::default() };
    let changed = world.billfold.save_customer(&world.tenant, "c-1", renamed.clone()).await.unwrap();
    assert_eq!(changed.profile, renamed);
}

#[tokio::test]
async fn only_a_whole_unrevoked_key_opens_its_tenant() {
    let world = World::new();
    let issued = world.billfold.issue_api_key(&operator(other()), "backend", Scopes::all()).await.unwrap();
    let secret = issued.secret.expose_secret().to_owned();
    let principal = world.billfold.authenticate(&secret).await.unwrap();
    assert_eq!((principal.tenant, principal.scopes), (other(), Scopes::all()));
    assert_eq!(principal.actor.as_str(), issued.key.id.to_string());
    let mut wrong = secret.clone();
    wrong.pop();
    for presented in ["", "bf_", "bf_x_y", &secret[3..], &wrong, &format!("{secret}x")] {
        let error = world.billfold.authenticate(presented).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unauthenticated, "{presented}");
    }
    let foreign =
        world.billfold.revoke_api_key(&operator(world.tenant.clone()), issued.key.id).await.unwrap_err();
    assert_eq!(foreign.kind(), ErrorKind::NotFound);
    let revoked = world.billfold.revoke_api_key(&operator(other()), issued.key.id).await.unwrap();
    assert!(revoked.revoked_at.is_some());
    assert!(world.billfold.authenticate(&secret).await.is_err());
    assert_eq!(world.billfold.list_api_keys(&other()).await.unwrap().len(), 1);
}

#[tokio::test]
async fn nobody_hands_out_more_than_they_may_do() {
    let world = World::new();
    let few: Scopes = [Scope::Admin, Scope::Vault].into_iter().collect();
    let issued = world.billfold.issue_api_key(&operator(other()), "clerk", few.clone()).await.unwrap();
    let clerk = world.billfold.authenticate(issued.secret.expose_secret()).await.unwrap();
    for wanted in Scope::ALL {
        let outcome = world.billfold.issue_api_key(&clerk, "x", [wanted].into_iter().collect()).await;
        match outcome {
            Ok(_) => assert!(few.allows(wanted), "{wanted:?} was handed out"),
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::Forbidden);
                assert!(!few.allows(wanted), "{wanted:?} was refused");
            }
        }
    }
    let none = world.billfold.issue_api_key(&clerk, "x", [].into_iter().collect()).await.unwrap_err();
    assert_eq!(none.fields()[0].pointer, "/scopes");
    // Both keys and what they did are in the trail.
    let entries = world.billfold.list_audit(&other(), 0, 10).await.unwrap();
    assert_eq!(entries.iter().filter(|entry| entry.action == "api_key.create").count(), 3);
    assert_eq!(entries[1].actor, issued.key.id.to_string());
}

/// A key is believed for a second after it was looked up, so that is how long another process's revocation
/// may take to be noticed; one's own is noticed at once.
#[tokio::test]
async fn a_key_that_another_process_revoked_works_for_a_second_at_most() {
    let world = World::new();
    let elsewhere = world.again(|_| {});
    let by = operator(world.tenant.clone());
    let issued = world.billfold.issue_api_key(&by, "backend", Scopes::all()).await.unwrap();
    let secret = issued.secret.expose_secret();
    world.billfold.authenticate(secret).await.unwrap();
    elsewhere.billfold.revoke_api_key(&by, issued.key.id).await.unwrap();
    assert_eq!(elsewhere.billfold.authenticate(secret).await.unwrap_err().kind(), ErrorKind::Unauthenticated);
    world.clock.advance(Duration::from_millis(999));
    world.billfold.authenticate(secret).await.unwrap();
    // Being believed does not prolong it.
    world.clock.advance(Duration::from_millis(1));
    assert_eq!(world.billfold.authenticate(secret).await.unwrap_err().kind(), ErrorKind::Unauthenticated);

    // What is believed is the key, not whoever names it.
    let issued = world.billfold.issue_api_key(&by, "backend", Scopes::all()).await.unwrap();
    let secret = issued.secret.expose_secret().to_owned();
    world.billfold.authenticate(&secret).await.unwrap();
    let wrong = format!("{}{}", &secret[..secret.len() - 1], if secret.ends_with('A') { 'B' } else { 'A' });
    assert_eq!(world.billfold.authenticate(&wrong).await.unwrap_err().kind(), ErrorKind::Unauthenticated);
    world.billfold.revoke_api_key(&by, issued.key.id).await.unwrap();
    assert_eq!(world.billfold.authenticate(&secret).await.unwrap_err().kind(), ErrorKind::Unauthenticated);
}
