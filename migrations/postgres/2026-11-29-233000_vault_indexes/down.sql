DROP INDEX vault_keys_by_subject;
CREATE INDEX vault_keys_by_subject ON vault_keys (tenant, subject);
DROP INDEX vault_records_by_key;
CREATE INDEX vault_records_by_key ON vault_records (tenant, key_id);
ALTER TABLE vault_records ADD UNIQUE (tenant, owner, kind, fingerprint);
DROP INDEX vault_records_one_value;
