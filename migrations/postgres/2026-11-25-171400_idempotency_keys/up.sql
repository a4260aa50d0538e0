CREATE TABLE idempotency_keys (
    id TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    tenant TEXT NOT NULL,
    request_key TEXT NOT NULL,
    request TEXT NOT NULL,
    answer TEXT COLLATE "C",
    lease_until BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    version BIGINT NOT NULL,
    UNIQUE (tenant, request_key)
);
CREATE INDEX idempotency_keys_expiring ON idempotency_keys (expires_at);
