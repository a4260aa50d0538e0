//! The tables, in types that both databases have.

diesel::table! {
    customers (id) {
        id -> Text,
        tenant -> Text,
        reference -> Text,
        profile -> Binary,
        created_at -> BigInt,
        updated_at -> BigInt,
        version -> BigInt,
    }
}

diesel::table! {
    gateway_customers (tenant, gateway, customer_id) {
        tenant -> Text,
        gateway -> Text,
        customer_id -> Text,
        reference -> Text,
        created_at -> BigInt,
    }
}

diesel::table! {
    sessions (id) {
        id -> Text,
        tenant -> Text,
        gateway -> Text,
        provider -> Text,
        mode -> Text,
        customer_id -> Text,
        status -> Text,
        provider_reference -> Nullable<Text>,
        next_action -> Nullable<Binary>,
        nonce_hash -> Binary,
        expires_at -> BigInt,
        next_check_at -> Nullable<BigInt>,
        details -> Text,
        created_at -> BigInt,
        updated_at -> BigInt,
        version -> BigInt,
    }
}

diesel::table! {
    vault_records (id) {
        id -> Text,
        tenant -> Text,
        kind -> Text,
        owner -> Text,
        sealed -> Binary,
        created_at -> BigInt,
    }
}

diesel::table! {
    payment_methods (id) {
        id -> Text,
        tenant -> Text,
        customer_id -> Text,
        gateway -> Text,
        provider -> Text,
        mode -> Text,
        session_id -> Text,
        kind -> Text,
        channel -> Text,
        status -> Text,
        usage -> Text,
        is_default -> Bool,
        display -> Text,
        token -> Nullable<Text>,
        token_fingerprint -> Text,
        instrument_fingerprint -> Text,
        next_check_at -> Nullable<BigInt>,
        created_at -> BigInt,
        updated_at -> BigInt,
        version -> BigInt,
    }
}

diesel::table! {
    removals (id) {
        id -> Text,
        tenant -> Text,
        gateway -> Text,
        payment_method_id -> Text,
        token -> Text,
        attempts -> BigInt,
        next_attempt_at -> Nullable<BigInt>,
        outcome -> Nullable<Text>,
        created_at -> BigInt,
        updated_at -> BigInt,
        version -> BigInt,
    }
}

diesel::table! {
    deliveries (id) {
        id -> Text,
        tenant -> Text,
        gateway -> Text,
        delivery_key -> Text,
        summary -> Text,
        sealed -> Binary,
        state -> Text,
        received_count -> BigInt,
        attempts -> BigInt,
        next_attempt_at -> Nullable<BigInt>,
        note -> Nullable<Text>,
        received_at -> BigInt,
        updated_at -> BigInt,
        version -> BigInt,
    }
}

diesel::table! {
    api_keys (id) {
        id -> Text,
        tenant -> Text,
        name -> Text,
        secret_hash -> Binary,
        created_at -> BigInt,
        revoked_at -> Nullable<BigInt>,
        version -> BigInt,
    }
}

diesel::table! {
    events (sequence) {
        sequence -> BigInt,
        id -> Text,
        tenant -> Text,
        name -> Text,
        object_id -> Text,
        data -> Text,
        created_at -> BigInt,
    }
}

diesel::table! {
    __diesel_schema_migrations (version) {
        version -> Text,
    }
}
