CREATE TABLE webhook_endpoints (
    id TEXT NOT NULL PRIMARY KEY,
    tenant TEXT NOT NULL,
    url TEXT NOT NULL,
    events TEXT NOT NULL,
    description TEXT,
    disabled TEXT CHECK (disabled IN ('requested', 'gone', 'failing')),
    failing_since BIGINT,
    secret TEXT NOT NULL,
    previous_secret TEXT,
    previous_secret_until BIGINT,
    event_cursor BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    version BIGINT NOT NULL,
    UNIQUE (tenant, id),
    CHECK ((previous_secret IS NULL) = (previous_secret_until IS NULL))
);

CREATE TABLE endpoint_deliveries (
    id TEXT NOT NULL PRIMARY KEY,
    tenant TEXT NOT NULL,
    endpoint_id TEXT NOT NULL,
    event_id TEXT NOT NULL,
    sequence BIGINT NOT NULL,
    event_name TEXT NOT NULL,
    object_id TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('pending', 'delivered', 'failed')),
    attempts BIGINT NOT NULL,
    next_attempt_at BIGINT,
    last_attempt_at BIGINT,
    last_status BIGINT,
    last_error TEXT,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    version BIGINT NOT NULL,
    UNIQUE (endpoint_id, event_id),
    CHECK ((state = 'pending') = (next_attempt_at IS NOT NULL)),
    FOREIGN KEY (tenant, endpoint_id) REFERENCES webhook_endpoints (tenant, id)
);
CREATE INDEX endpoint_deliveries_due ON endpoint_deliveries (endpoint_id, next_attempt_at) WHERE next_attempt_at IS NOT NULL;
CREATE INDEX endpoint_deliveries_waiting ON endpoint_deliveries (endpoint_id, object_id, sequence) WHERE next_attempt_at IS NOT NULL;
CREATE INDEX endpoint_deliveries_by_endpoint ON endpoint_deliveries (endpoint_id, id);
CREATE INDEX endpoint_deliveries_by_sequence ON endpoint_deliveries (endpoint_id, sequence);
CREATE INDEX endpoint_deliveries_finished ON endpoint_deliveries (updated_at) WHERE next_attempt_at IS NULL;
