//! Rows to store.

use billfold_core::capability::{MethodKind, Usage};
use billfold_core::charge::{
    CaptureMode, Charge, ChargeDetails, ChargeReason, ChargeStatus, Decline, DeclineClass, Initiator, Refund,
    RefundReason, RefundStatus, Step,
};
use billfold_core::clock::Timestamp;
use billfold_core::customer::Customer;
use billfold_core::entropy::SystemEntropy;
use billfold_core::erasure::{Erasure, ErasureState};
use billfold_core::id::{Id, IdKind};
use billfold_core::idempotency::IdempotencyKey;
use billfold_core::money::Money;
use billfold_core::name::{GatewayName, TenantId};
use billfold_core::outgoing::{EndpointDelivery, EndpointDeliveryState, EventFilter, WebhookEndpoint};
use billfold_core::payment_method::{Display, PaymentMethod, PaymentMethodStatus};
use billfold_core::session::{Session, SessionDetails, SessionStatus};
use billfold_core::settings::Mode;
use billfold_core::store::{Changes, Commit, Delivery, DeliveryState, Event, Removal, Store, Write};
use billfold_core::vault::{
    Fingerprint, KeyId, KeyPurpose, KeyState, Sealed, Suite, VaultKey, VaultRecord, WrapperId,
};

pub(super) const NOW: Timestamp = Timestamp::from_millis(1_780_000_000_000);

pub(super) fn tenant() -> TenantId {
    TenantId::default_tenant()
}

pub(super) fn other_tenant() -> TenantId {
    "other".parse().unwrap()
}

pub(super) fn gateway() -> GatewayName {
    "main".parse().unwrap()
}

pub(super) fn id<K: IdKind>() -> Id<K> {
    Id::generate(NOW, &SystemEntropy).unwrap()
}

pub(super) fn fingerprint(text: &str) -> Fingerprint {
    Fingerprint::from_text(text.to_owned())
}

pub(super) fn customer(tenant: TenantId, reference: &str) -> Customer {
    Customer {
        id: id(),
        tenant,
        reference: reference.to_owned(),
        profile: id(),
        erasure: None,
        created_at: NOW,
        updated_at: NOW,
        version: 1,
    }
}

pub(super) fn session(customer: &Customer) -> Session {
    Session {
        id: id(),
        tenant: customer.tenant.clone(),
        gateway: gateway(),
        provider: "reference".to_owned(),
        mode: Mode::Test,
        customer_id: customer.id,
        status: SessionStatus::Active,
        provider_reference: None,
        next: None,
        nonce_hash: vec![7; 32],
        expires_at: Timestamp::from_millis(NOW.as_millis() + 1_800_000),
        next_check_at: None,
        details: SessionDetails {
            usage: Usage::OnSession,
            recurring: None,
            currency: "IDR".parse().unwrap(),
            country: "ID".parse().unwrap(),
            channels: vec!["CARD".to_owned()],
            locale: None,
            description: Some("'; DROP TABLE sessions; -- \u{1F4B3} \"".to_owned()),
            metadata: [("k".to_owned(), "v'\"\\".to_owned())].into(),
            return_url: "https://shop.example/?a=b".parse().unwrap(),
            make_default: false,
            gateway_customer: None,
            payment_methods: Vec::new(),
            settled_via: None,
            failure: None,
            returned_at: None,
            checks: 0,
            gateway_choice: None,
            consent: None,
        },
        created_at: NOW,
        updated_at: NOW,
        version: 1,
    }
}

pub(super) fn method(session: &Session, token: &str, instrument: &str) -> PaymentMethod {
    PaymentMethod {
        id: id(),
        tenant: session.tenant.clone(),
        customer_id: session.customer_id,
        gateway: session.gateway.clone(),
        provider: session.provider.clone(),
        mode: Mode::Test,
        session_id: session.id,
        kind: MethodKind::BankDebit,
        channel: "CARD".to_owned(),
        status: PaymentMethodStatus::Active,
        usage: Usage::UnscheduledMerchant,
        is_default: false,
        display: Display { brand: Some("Visa".to_owned()), expiry_year: Some(2034), ..Display::default() },
        token: Some(id()),
        token_fingerprint: fingerprint(token),
        instrument_fingerprint: fingerprint(instrument),
        expiring_since: None,
        next_check_at: None,
        created_at: NOW,
        updated_at: NOW,
        version: 1,
    }
}

pub(super) fn charge(method: &PaymentMethod) -> Charge {
    Charge {
        id: id(),
        tenant: method.tenant.clone(),
        gateway: method.gateway.clone(),
        provider: method.provider.clone(),
        mode: Mode::Test,
        customer_id: method.customer_id,
        payment_method_id: method.id,
        status: ChargeStatus::Processing,
        money: Money { amount: i64::MAX, currency: "BHD".parse().unwrap() },
        provider_reference: None,
        next: None,
        nonce_hash: vec![9; 32],
        next_check_at: None,
        details: ChargeDetails {
            initiator: Initiator::Merchant,
            reason: ChargeReason::Unscheduled,
            capture: CaptureMode::Manual,
            reference: Some("order '7'".to_owned()),
            description: Some("'; DROP TABLE charges; -- \u{1F4B3} \"".to_owned()),
            metadata: [("k".to_owned(), "v'\"\\".to_owned())].into(),
            return_url: None,
            captured: 0,
            capturing: Some(3),
            decline: Some(Decline::new(DeclineClass::Limit, "05".to_owned())),
            refunds: vec![Refund {
                id: id(),
                amount: 1,
                status: RefundStatus::Unknown,
                reason: RefundReason::Duplicate,
                provider_reference: None,
                code: None,
                created_at: NOW,
                updated_at: NOW,
            }],
            extra: [("payment".to_owned(), "py-1".to_owned())].into(),
            fallback_of: Some(id()),
            incident: None,
            settled_via: None,
            returned_at: None,
            timeline: vec![Step { what: "processing".to_owned(), via: None, at: NOW }],
        },
        created_at: NOW,
        updated_at: NOW,
        version: 1,
    }
}

/// A data key of a tenant; the store never opens it.
pub(super) fn vault_key(tenant: TenantId, subject: &str) -> VaultKey {
    VaultKey {
        id: KeyId::generate(&SystemEntropy).unwrap(),
        tenant,
        subject: subject.to_owned(),
        purpose: KeyPurpose::Data,
        wrapped: vec![0, 255, 39, 92],
        wrapper: WrapperId::new("local", "old"),
        state: KeyState::Primary,
        created_at: NOW,
        updated_at: NOW,
        version: 1,
    }
}

/// A value of the key's tenant and subject.
pub(super) fn vault_record(key: &VaultKey, kind: &str, value: &str) -> VaultRecord {
    VaultRecord {
        id: id(),
        tenant: key.tenant.clone(),
        owner: key.subject.clone(),
        kind: kind.to_owned(),
        object: String::new(),
        key_id: key.id,
        suite: Suite::default(),
        fingerprint: fingerprint(value),
        sealed: Sealed::from_bytes(vec![9; 300]),
        masked: None,
        metadata: std::collections::BTreeMap::new(),
        expires_at: None,
        created_at: NOW,
        updated_at: NOW,
        version: 1,
    }
}

/// Stores a new data key.
pub(super) async fn stored_key(store: &dyn Store, tenant: TenantId, subject: &str) -> VaultKey {
    let key = vault_key(tenant, subject);
    apply(store, Changes { vault_keys: vec![Write::Insert(key.clone())], ..Changes::default() }).await;
    key
}

pub(super) fn erasure(tenant: TenantId, subject: &str, due: Option<Timestamp>) -> Erasure {
    Erasure {
        id: id(),
        tenant,
        subject: fingerprint(subject),
        owner: Some("somebody".to_owned()),
        state: ErasureState::Pending,
        gateway_deletions: Vec::new(),
        requested_at: NOW,
        done_at: None,
        next_attempt_at: due,
        version: 1,
    }
}

/// A commit that has to succeed.
pub(super) async fn apply(store: &dyn Store, changes: Changes) {
    assert_eq!(store.commit(changes).await.unwrap(), Commit::Applied);
}

pub(super) fn removal(method: &PaymentMethod) -> Removal {
    Removal {
        id: id(),
        tenant: method.tenant.clone(),
        gateway: method.gateway.clone(),
        payment_method_id: method.id,
        token: id(),
        attempts: 0,
        next_attempt_at: Some(NOW),
        outcome: None,
        created_at: NOW,
        updated_at: NOW,
        version: 1,
    }
}

pub(super) fn delivery(key: &str, due: Option<i64>) -> Delivery {
    Delivery {
        id: id(),
        tenant: tenant(),
        gateway: gateway(),
        key: fingerprint(key),
        summary: "session.completed".to_owned(),
        body: id(),
        customer_id: None,
        state: DeliveryState::Received,
        received_count: 1,
        attempts: 0,
        next_attempt_at: due.map(|millis| Timestamp::from_millis(NOW.as_millis() + millis)),
        note: None,
        conflicts_with: None,
        received_at: NOW,
        updated_at: NOW,
        version: 1,
    }
}

/// Stores a customer and a session, which most rows need.
pub(super) async fn customer_and_session(store: &dyn Store) -> (Customer, Session) {
    let customer = customer(tenant(), "c-1");
    let session = session(&customer);
    let changes = Changes {
        customers: vec![Write::Insert(customer.clone())],
        sessions: vec![Write::Insert(session.clone())],
        ..Changes::default()
    };
    apply(store, changes).await;
    (customer, session)
}

pub(super) fn event(tenant: TenantId, object: &str) -> Event {
    Event {
        id: id(),
        sequence: 0,
        tenant,
        name: "session.completed".to_owned(),
        object_id: object.to_owned(),
        data: "{}".to_owned(),
        created_at: NOW,
    }
}

pub(super) fn endpoint(tenant: TenantId) -> WebhookEndpoint {
    WebhookEndpoint {
        id: id(),
        tenant,
        url: "https://shop.example/hooks?a='b".parse().unwrap(),
        events: EventFilter::parse(vec!["session.*".to_owned(), "payment_method.saved".to_owned()]).unwrap(),
        description: Some("'; DROP TABLE events; --".to_owned()),
        disabled: None,
        failing_since: None,
        secret: id(),
        previous_secret: None,
        cursor: 0,
        created_at: NOW,
        updated_at: NOW,
        version: 1,
    }
}

/// A delivery of an event with this number about this object, that is due so many milliseconds from now.
pub(super) fn endpoint_delivery(
    endpoint: &WebhookEndpoint,
    sequence: i64,
    object: &str,
    due: Option<i64>,
) -> EndpointDelivery {
    let state = if due.is_some() { EndpointDeliveryState::Pending } else { EndpointDeliveryState::Delivered };
    EndpointDelivery {
        id: id(),
        tenant: endpoint.tenant.clone(),
        endpoint_id: endpoint.id,
        event_id: id(),
        sequence,
        event_name: "session.completed".to_owned(),
        object_id: object.to_owned(),
        state,
        attempts: 0,
        next_attempt_at: due.map(|millis| Timestamp::from_millis(NOW.as_millis() + millis)),
        last_attempt_at: None,
        last_status: None,
        last_error: None,
        created_at: NOW,
        updated_at: NOW,
        version: 1,
        history: Vec::new(),
    }
}

/// A key whose request runs until the lease is over, and that is kept for a day.
pub(super) fn idempotency_key(tenant: TenantId, key: &str) -> IdempotencyKey {
    IdempotencyKey {
        id: id(),
        tenant,
        key: fingerprint(key),
        request: fingerprint("request"),
        answer: None,
        lease_until: NOW.plus(std::time::Duration::from_mins(2)),
        expires_at: NOW.plus(std::time::Duration::from_hours(24)),
        created_at: NOW,
        version: 1,
    }
}
