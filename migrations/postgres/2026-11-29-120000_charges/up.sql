CREATE TABLE charges (
    id TEXT NOT NULL PRIMARY KEY,
    tenant TEXT NOT NULL,
    gateway TEXT NOT NULL,
    provider TEXT NOT NULL,
    mode TEXT NOT NULL CHECK (mode IN ('test', 'live')),
    customer_id TEXT NOT NULL,
    payment_method_id TEXT NOT NULL,
    status TEXT NOT NULL CHECK (status IN ('processing', 'unknown', 'requires_action', 'authorized', 'succeeded', 'declined', 'canceled')),
    amount BIGINT NOT NULL CHECK (amount > 0),
    currency TEXT NOT NULL,
    provider_reference TEXT,
    next_action TEXT,
    nonce_hash BYTEA NOT NULL,
    next_check_at BIGINT,
    details TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    version BIGINT NOT NULL,
    UNIQUE (tenant, gateway, provider_reference),
    FOREIGN KEY (tenant, customer_id) REFERENCES customers (tenant, id)
);
CREATE INDEX charges_by_tenant ON charges (tenant, id);
CREATE INDEX charges_by_customer ON charges (tenant, customer_id, id);
CREATE INDEX charges_by_method ON charges (tenant, payment_method_id, id);
CREATE INDEX charges_due ON charges (next_check_at) WHERE next_check_at IS NOT NULL;
