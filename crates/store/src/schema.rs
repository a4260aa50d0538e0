//! The tables, in types that both databases have.

diesel::table! {
    customers (id) {
        id -> Text,
        tenant -> Text,
        reference -> Text,
        profile -> Text,
        erasure -> Nullable<Text>,
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
        next_action -> Nullable<Text>,
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
    charges (id) {
        id -> Text,
        tenant -> Text,
        gateway -> Text,
        provider -> Text,
        mode -> Text,
        customer_id -> Text,
        payment_method_id -> Text,
        status -> Text,
        amount -> BigInt,
        currency -> Text,
        provider_reference -> Nullable<Text>,
        next_action -> Nullable<Text>,
        nonce_hash -> Binary,
        next_check_at -> Nullable<BigInt>,
        details -> Text,
        created_at -> BigInt,
        updated_at -> BigInt,
        version -> BigInt,
    }
}

diesel::table! {
    vault_keys (id) {
        id -> Text,
        tenant -> Text,
        subject -> Text,
        purpose -> Text,
        wrapped -> Binary,
        wrapper -> Text,
        state -> Text,
        created_at -> BigInt,
        updated_at -> BigInt,
        version -> BigInt,
    }
}

diesel::table! {
    vault_records (id) {
        id -> Text,
        tenant -> Text,
        owner -> Text,
        kind -> Text,
        object -> Text,
        key_id -> Text,
        suite -> BigInt,
        fingerprint -> Text,
        sealed -> Binary,
        masked -> Nullable<Text>,
        metadata -> Text,
        expires_at -> Nullable<BigInt>,
        created_at -> BigInt,
        updated_at -> BigInt,
        version -> BigInt,
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
        expiring_since -> Nullable<BigInt>,
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
        body -> Text,
        customer_id -> Nullable<Text>,
        state -> Text,
        received_count -> BigInt,
        attempts -> BigInt,
        next_attempt_at -> Nullable<BigInt>,
        note -> Nullable<Text>,
        received_at -> BigInt,
        updated_at -> BigInt,
        version -> BigInt,
        conflicts_with -> Nullable<Text>,
    }
}

diesel::table! {
    api_keys (id) {
        id -> Text,
        tenant -> Text,
        name -> Text,
        scopes -> Text,
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
    erasures (id) {
        id -> Text,
        tenant -> Text,
        subject -> Text,
        owner -> Nullable<Text>,
        state -> Text,
        gateway_deletions -> Text,
        requested_at -> BigInt,
        done_at -> Nullable<BigInt>,
        next_attempt_at -> Nullable<BigInt>,
        version -> BigInt,
    }
}

diesel::table! {
    audit_entries (tenant, sequence) {
        tenant -> Text,
        sequence -> BigInt,
        happened_at -> BigInt,
        actor -> Text,
        action -> Text,
        object -> Text,
        details -> Text,
        hash -> Binary,
    }
}

diesel::table! {
    webhook_endpoints (id) {
        id -> Text,
        tenant -> Text,
        url -> Text,
        events -> Text,
        description -> Nullable<Text>,
        disabled -> Nullable<Text>,
        failing_since -> Nullable<BigInt>,
        secret -> Text,
        previous_secret -> Nullable<Text>,
        previous_secret_until -> Nullable<BigInt>,
        event_cursor -> BigInt,
        created_at -> BigInt,
        updated_at -> BigInt,
        version -> BigInt,
    }
}

diesel::table! {
    endpoint_deliveries (id) {
        id -> Text,
        tenant -> Text,
        endpoint_id -> Text,
        event_id -> Text,
        sequence -> BigInt,
        event_name -> Text,
        object_id -> Text,
        state -> Text,
        attempts -> BigInt,
        next_attempt_at -> Nullable<BigInt>,
        last_attempt_at -> Nullable<BigInt>,
        last_status -> Nullable<BigInt>,
        last_error -> Nullable<Text>,
        created_at -> BigInt,
        updated_at -> BigInt,
        version -> BigInt,
        history -> Text,
    }
}

diesel::table! {
    idempotency_keys (id) {
        id -> Text,
        tenant -> Text,
        request_key -> Text,
        request -> Text,
        answer -> Nullable<Text>,
        lease_until -> BigInt,
        expires_at -> BigInt,
        created_at -> BigInt,
        version -> BigInt,
    }
}

diesel::table! {
    __diesel_schema_migrations (version) {
        version -> Text,
    }
}

diesel::joinable!(vault_records -> vault_keys (key_id));
diesel::allow_tables_to_appear_in_same_query!(vault_records, vault_keys);
diesel::allow_tables_to_appear_in_same_query!(removals, payment_methods);
diesel::allow_tables_to_appear_in_same_query!(webhook_endpoints, endpoint_deliveries);
diesel::allow_tables_to_appear_in_same_query!(webhook_endpoints, events);
