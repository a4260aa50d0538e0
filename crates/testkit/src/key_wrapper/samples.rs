//! Keys and contexts for the trials.

use billfold_core::entropy::SystemEntropy;
use billfold_core::vault::{DataKey, KeyId, KeyPurpose, WrapContext};

/// A new random key.
pub(super) fn key() -> DataKey {
    DataKey::generate(&SystemEntropy).expect("random bytes")
}

/// The context of a new key of `subject`.
pub(super) fn context_of(subject: &str) -> WrapContext {
    WrapContext {
        key_id: KeyId::generate(&SystemEntropy).expect("random bytes"),
        tenant: "acme".parse().expect("a tenant"),
        subject: subject.to_owned(),
        purpose: KeyPurpose::Data,
    }
}

/// The context of a new key.
pub(super) fn context() -> WrapContext {
    context_of("cus_1")
}

/// Contexts that differ from `context` in one part each, or read alike when parts are only joined.
pub(super) fn foreign(context: &WrapContext) -> Vec<(&'static str, WrapContext)> {
    let changed = |change: &dyn Fn(&mut WrapContext)| {
        let mut foreign = context.clone();
        change(&mut foreign);
        foreign
    };
    let tenant = context.tenant.as_str();
    let shifted = tenant.split_at(tenant.len() - 1);
    vec![
        ("another key id", changed(&|context| context.key_id = KeyId::from_bytes([7; 16]))),
        ("another tenant", changed(&|context| context.tenant = "acmd".parse().expect("a tenant"))),
        ("another subject", changed(&|context| context.subject.push('1'))),
        ("no subject", changed(&|context| context.subject.clear())),
        ("another purpose", changed(&|context| context.purpose = KeyPurpose::Fingerprint)),
        (
            "a tenant whose last letter moved to the subject",
            changed(&|context| {
                context.tenant = shifted.0.parse().expect("a tenant");
                context.subject.insert_str(0, shifted.1);
            }),
        ),
    ]
}
