CREATE TABLE customers (
    id TEXT NOT NULL PRIMARY KEY,
    tenant TEXT NOT NULL,
    reference TEXT NOT NULL,
    profile TEXT NOT NULL,
    erasure TEXT,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    version BIGINT NOT NULL,
    UNIQUE (tenant, reference),
    UNIQUE (tenant, id)
);

CREATE TABLE gateway_customers (
    tenant TEXT NOT NULL,
    gateway TEXT NOT NULL,
    customer_id TEXT NOT NULL,
    reference TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (tenant, gateway, customer_id),
    FOREIGN KEY (tenant, customer_id) REFERENCES customers (tenant, id)
);

CREATE TABLE sessions (
    id TEXT NOT NULL PRIMARY KEY,
    tenant TEXT NOT NULL,
    gateway TEXT NOT NULL,
    provider TEXT NOT NULL,
    mode TEXT NOT NULL CHECK (mode IN ('test', 'live')),
    customer_id TEXT NOT NULL,
    status TEXT NOT NULL CHECK (status IN ('creating', 'active', 'processing', 'completed', 'failed', 'expired', 'canceled')),
    provider_reference TEXT,
    next_action TEXT,
    nonce_hash BLOB NOT NULL,
    expires_at BIGINT NOT NULL,
    next_check_at BIGINT,
    details TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    version BIGINT NOT NULL,
    UNIQUE (tenant, gateway, provider_reference),
    UNIQUE (tenant, id),
    FOREIGN KEY (tenant, customer_id) REFERENCES customers (tenant, id)
);
CREATE INDEX sessions_by_customer ON sessions (tenant, customer_id, id);
CREATE INDEX sessions_due ON sessions (next_check_at) WHERE next_check_at IS NOT NULL;

CREATE TABLE vault_keys (
    id TEXT NOT NULL PRIMARY KEY,
    tenant TEXT NOT NULL,
    subject TEXT NOT NULL,
    purpose TEXT NOT NULL CHECK (purpose IN ('data', 'fingerprint', 'audit')),
    wrapped BLOB NOT NULL,
    wrapper TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('primary', 'decrypt_only', 'compromised')),
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    version BIGINT NOT NULL,
    UNIQUE (tenant, id)
);
CREATE UNIQUE INDEX vault_keys_one_primary ON vault_keys (tenant, subject, purpose) WHERE state = 'primary';
CREATE INDEX vault_keys_by_subject ON vault_keys (tenant, subject);

CREATE TABLE vault_records (
    id TEXT NOT NULL PRIMARY KEY,
    tenant TEXT NOT NULL,
    owner TEXT NOT NULL,
    kind TEXT NOT NULL,
    object TEXT NOT NULL,
    key_id TEXT NOT NULL,
    suite BIGINT NOT NULL,
    fingerprint TEXT NOT NULL,
    sealed BLOB NOT NULL,
    masked TEXT,
    metadata TEXT NOT NULL,
    expires_at BIGINT,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    version BIGINT NOT NULL,
    UNIQUE (tenant, owner, kind, fingerprint),
    FOREIGN KEY (tenant, key_id) REFERENCES vault_keys (tenant, id)
);
CREATE INDEX vault_records_by_key ON vault_records (tenant, key_id);
CREATE INDEX vault_records_expiring ON vault_records (expires_at) WHERE expires_at IS NOT NULL;

CREATE TABLE payment_methods (
    id TEXT NOT NULL PRIMARY KEY,
    tenant TEXT NOT NULL,
    customer_id TEXT NOT NULL,
    gateway TEXT NOT NULL,
    provider TEXT NOT NULL,
    mode TEXT NOT NULL CHECK (mode IN ('test', 'live')),
    session_id TEXT NOT NULL,
    kind TEXT NOT NULL CHECK (kind IN ('card', 'wallet', 'bank_debit')),
    channel TEXT NOT NULL,
    status TEXT NOT NULL CHECK (status IN ('pending', 'active', 'failed', 'expired', 'revoked', 'deleted')),
    usage TEXT NOT NULL CHECK (usage IN ('on_session', 'unscheduled_customer', 'unscheduled_merchant', 'recurring')),
    is_default BOOLEAN NOT NULL,
    display TEXT NOT NULL,
    token TEXT,
    token_fingerprint TEXT NOT NULL,
    instrument_fingerprint TEXT NOT NULL,
    next_check_at BIGINT,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    version BIGINT NOT NULL,
    FOREIGN KEY (tenant, customer_id) REFERENCES customers (tenant, id),
    FOREIGN KEY (tenant, session_id) REFERENCES sessions (tenant, id)
);
CREATE UNIQUE INDEX payment_methods_one_per_token ON payment_methods (tenant, gateway, token_fingerprint) WHERE status <> 'deleted';
CREATE UNIQUE INDEX payment_methods_one_per_instrument ON payment_methods (tenant, gateway, customer_id, instrument_fingerprint, usage) WHERE status <> 'deleted';
CREATE UNIQUE INDEX payment_methods_one_default ON payment_methods (tenant, customer_id) WHERE is_default AND status <> 'deleted';
CREATE INDEX payment_methods_by_customer ON payment_methods (tenant, customer_id, id);
CREATE INDEX payment_methods_by_token ON payment_methods (tenant, gateway, token_fingerprint);
CREATE INDEX payment_methods_due ON payment_methods (next_check_at) WHERE next_check_at IS NOT NULL;

CREATE TABLE removals (
    id TEXT NOT NULL PRIMARY KEY,
    tenant TEXT NOT NULL,
    gateway TEXT NOT NULL,
    payment_method_id TEXT NOT NULL,
    token TEXT NOT NULL,
    attempts BIGINT NOT NULL,
    next_attempt_at BIGINT,
    outcome TEXT,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    version BIGINT NOT NULL
);
CREATE INDEX removals_due ON removals (next_attempt_at) WHERE next_attempt_at IS NOT NULL;

CREATE TABLE deliveries (
    id TEXT NOT NULL PRIMARY KEY,
    tenant TEXT NOT NULL,
    gateway TEXT NOT NULL,
    delivery_key TEXT NOT NULL,
    summary TEXT NOT NULL,
    body TEXT NOT NULL,
    customer_id TEXT,
    state TEXT NOT NULL CHECK (state IN ('received', 'parked', 'done', 'ignored', 'dead', 'unreadable')),
    received_count BIGINT NOT NULL,
    attempts BIGINT NOT NULL,
    next_attempt_at BIGINT,
    note TEXT,
    received_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    version BIGINT NOT NULL,
    UNIQUE (gateway, delivery_key)
);
CREATE INDEX deliveries_by_tenant ON deliveries (tenant, id);
CREATE INDEX deliveries_by_customer ON deliveries (tenant, customer_id) WHERE customer_id IS NOT NULL;
CREATE INDEX deliveries_due ON deliveries (next_attempt_at) WHERE next_attempt_at IS NOT NULL;

CREATE TABLE api_keys (
    id TEXT NOT NULL PRIMARY KEY,
    tenant TEXT NOT NULL,
    name TEXT NOT NULL,
    scopes TEXT NOT NULL,
    secret_hash BLOB NOT NULL,
    created_at BIGINT NOT NULL,
    revoked_at BIGINT,
    version BIGINT NOT NULL
);
CREATE INDEX api_keys_by_tenant ON api_keys (tenant, id);

CREATE TABLE events (
    sequence INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    tenant TEXT NOT NULL,
    name TEXT NOT NULL,
    object_id TEXT NOT NULL,
    data TEXT NOT NULL,
    created_at BIGINT NOT NULL
);
CREATE INDEX events_by_tenant ON events (tenant, sequence);
CREATE INDEX events_by_object ON events (tenant, object_id);

CREATE TABLE erasures (
    id TEXT NOT NULL PRIMARY KEY,
    tenant TEXT NOT NULL,
    subject TEXT NOT NULL,
    owner TEXT,
    state TEXT NOT NULL CHECK (state IN ('pending', 'done')),
    gateway_deletions TEXT NOT NULL,
    requested_at BIGINT NOT NULL,
    done_at BIGINT,
    next_attempt_at BIGINT,
    version BIGINT NOT NULL,
    UNIQUE (tenant, subject)
);
CREATE INDEX erasures_due ON erasures (next_attempt_at) WHERE next_attempt_at IS NOT NULL;

CREATE TABLE audit_entries (
    tenant TEXT NOT NULL,
    sequence BIGINT NOT NULL,
    happened_at BIGINT NOT NULL,
    actor TEXT NOT NULL,
    action TEXT NOT NULL,
    object TEXT NOT NULL,
    details TEXT NOT NULL,
    hash BLOB NOT NULL,
    PRIMARY KEY (tenant, sequence)
);
CREATE TRIGGER audit_entries_stay BEFORE UPDATE ON audit_entries
BEGIN
    SELECT RAISE(ABORT, 'the audit trail is append-only');
END;
CREATE TRIGGER audit_entries_remain BEFORE DELETE ON audit_entries
BEGIN
    SELECT RAISE(ABORT, 'the audit trail is append-only');
END;
-- INSERT OR REPLACE would delete without a trigger.
CREATE TRIGGER audit_entries_keep_their_places BEFORE INSERT ON audit_entries
WHEN EXISTS (SELECT 1 FROM audit_entries WHERE tenant = NEW.tenant AND sequence = NEW.sequence)
BEGIN
    SELECT RAISE(ABORT, 'the audit trail is append-only');
END;
