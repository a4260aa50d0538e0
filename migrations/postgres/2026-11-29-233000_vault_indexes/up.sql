-- What tells rows apart comes first. An index that begins with the tenant looks as good as any other to a planner that has
-- no statistics yet, and then has every row of the tenant read.
DROP INDEX vault_keys_by_subject;
CREATE INDEX vault_keys_by_subject ON vault_keys (subject, tenant);
DROP INDEX vault_records_by_key;
CREATE INDEX vault_records_by_key ON vault_records (key_id, tenant);
CREATE UNIQUE INDEX vault_records_one_value ON vault_records (owner, tenant, kind, fingerprint);
ALTER TABLE vault_records DROP CONSTRAINT vault_records_tenant_owner_kind_fingerprint_key;
