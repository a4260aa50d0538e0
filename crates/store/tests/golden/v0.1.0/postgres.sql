SET statement_timeout = 0;
SET lock_timeout = 0;
SET idle_in_transaction_session_timeout = 0;
SET client_encoding = 'UTF8';
SET standard_conforming_strings = on;
SET check_function_bodies = false;
SET xmloption = content;
SET client_min_messages = warning;
SET row_security = off;
CREATE FUNCTION public.refuse_audit_changes() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    RAISE EXCEPTION 'the audit trail is append-only';
END
$$;
SET default_tablespace = '';
SET default_table_access_method = heap;
CREATE TABLE public.__diesel_schema_migrations (
    version character varying(50) NOT NULL,
    run_on timestamp without time zone DEFAULT CURRENT_TIMESTAMP NOT NULL
);
CREATE TABLE public.api_keys (
    id text NOT NULL COLLATE pg_catalog."C",
    tenant text NOT NULL,
    name text NOT NULL,
    scopes text NOT NULL,
    secret_hash bytea NOT NULL,
    created_at bigint NOT NULL,
    revoked_at bigint,
    version bigint NOT NULL
);
CREATE TABLE public.audit_entries (
    tenant text NOT NULL,
    sequence bigint NOT NULL,
    happened_at bigint NOT NULL,
    actor text NOT NULL,
    action text NOT NULL,
    object text NOT NULL,
    details text NOT NULL,
    hash bytea NOT NULL
);
CREATE TABLE public.customers (
    id text NOT NULL COLLATE pg_catalog."C",
    tenant text NOT NULL,
    reference text NOT NULL,
    profile text NOT NULL COLLATE pg_catalog."C",
    erasure text COLLATE pg_catalog."C",
    created_at bigint NOT NULL,
    updated_at bigint NOT NULL,
    version bigint NOT NULL
);
CREATE TABLE public.deliveries (
    id text NOT NULL COLLATE pg_catalog."C",
    tenant text NOT NULL,
    gateway text NOT NULL,
    delivery_key text NOT NULL,
    summary text NOT NULL,
    body text NOT NULL COLLATE pg_catalog."C",
    customer_id text COLLATE pg_catalog."C",
    state text NOT NULL,
    received_count bigint NOT NULL,
    attempts bigint NOT NULL,
    next_attempt_at bigint,
    note text,
    received_at bigint NOT NULL,
    updated_at bigint NOT NULL,
    version bigint NOT NULL,
    CONSTRAINT deliveries_state_check CHECK ((state = ANY (ARRAY['received'::text, 'parked'::text, 'done'::text, 'ignored'::text, 'dead'::text, 'unreadable'::text])))
);
CREATE TABLE public.erasures (
    id text NOT NULL COLLATE pg_catalog."C",
    tenant text NOT NULL,
    subject text NOT NULL,
    owner text,
    state text NOT NULL,
    gateway_deletions text NOT NULL,
    requested_at bigint NOT NULL,
    done_at bigint,
    next_attempt_at bigint,
    version bigint NOT NULL,
    CONSTRAINT erasures_state_check CHECK ((state = ANY (ARRAY['pending'::text, 'done'::text])))
);
CREATE TABLE public.events (
    sequence bigint NOT NULL,
    id text NOT NULL COLLATE pg_catalog."C",
    tenant text NOT NULL,
    name text NOT NULL,
    object_id text NOT NULL,
    data text NOT NULL,
    created_at bigint NOT NULL
);
CREATE SEQUENCE public.events_sequence_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.events_sequence_seq OWNED BY public.events.sequence;
CREATE TABLE public.gateway_customers (
    tenant text NOT NULL,
    gateway text NOT NULL,
    customer_id text NOT NULL COLLATE pg_catalog."C",
    reference text NOT NULL,
    created_at bigint NOT NULL
);
CREATE TABLE public.payment_methods (
    id text NOT NULL COLLATE pg_catalog."C",
    tenant text NOT NULL,
    customer_id text NOT NULL COLLATE pg_catalog."C",
    gateway text NOT NULL,
    provider text NOT NULL,
    mode text NOT NULL,
    session_id text NOT NULL,
    kind text NOT NULL,
    channel text NOT NULL,
    status text NOT NULL,
    usage text NOT NULL,
    is_default boolean NOT NULL,
    display text NOT NULL,
    token text,
    token_fingerprint text NOT NULL,
    instrument_fingerprint text NOT NULL,
    next_check_at bigint,
    created_at bigint NOT NULL,
    updated_at bigint NOT NULL,
    version bigint NOT NULL,
    CONSTRAINT payment_methods_kind_check CHECK ((kind = ANY (ARRAY['card'::text, 'wallet'::text, 'bank_debit'::text]))),
    CONSTRAINT payment_methods_mode_check CHECK ((mode = ANY (ARRAY['test'::text, 'live'::text]))),
    CONSTRAINT payment_methods_status_check CHECK ((status = ANY (ARRAY['pending'::text, 'active'::text, 'failed'::text, 'expired'::text, 'revoked'::text, 'deleted'::text]))),
    CONSTRAINT payment_methods_usage_check CHECK ((usage = ANY (ARRAY['on_session'::text, 'unscheduled_customer'::text, 'unscheduled_merchant'::text, 'recurring'::text])))
);
CREATE TABLE public.removals (
    id text NOT NULL COLLATE pg_catalog."C",
    tenant text NOT NULL,
    gateway text NOT NULL,
    payment_method_id text NOT NULL,
    token text NOT NULL,
    attempts bigint NOT NULL,
    next_attempt_at bigint,
    outcome text,
    created_at bigint NOT NULL,
    updated_at bigint NOT NULL,
    version bigint NOT NULL
);
CREATE TABLE public.sessions (
    id text NOT NULL COLLATE pg_catalog."C",
    tenant text NOT NULL,
    gateway text NOT NULL,
    provider text NOT NULL,
    mode text NOT NULL,
    customer_id text NOT NULL COLLATE pg_catalog."C",
    status text NOT NULL,
    provider_reference text,
    next_action text COLLATE pg_catalog."C",
    nonce_hash bytea NOT NULL,
    expires_at bigint NOT NULL,
    next_check_at bigint,
    details text NOT NULL,
    created_at bigint NOT NULL,
    updated_at bigint NOT NULL,
    version bigint NOT NULL,
    CONSTRAINT sessions_mode_check CHECK ((mode = ANY (ARRAY['test'::text, 'live'::text]))),
    CONSTRAINT sessions_status_check CHECK ((status = ANY (ARRAY['creating'::text, 'active'::text, 'processing'::text, 'completed'::text, 'failed'::text, 'expired'::text, 'canceled'::text])))
);
CREATE TABLE public.vault_keys (
    id text NOT NULL COLLATE pg_catalog."C",
    tenant text NOT NULL,
    subject text NOT NULL,
    purpose text NOT NULL,
    wrapped bytea NOT NULL,
    wrapper text NOT NULL,
    state text NOT NULL,
    created_at bigint NOT NULL,
    updated_at bigint NOT NULL,
    version bigint NOT NULL,
    CONSTRAINT vault_keys_purpose_check CHECK ((purpose = ANY (ARRAY['data'::text, 'fingerprint'::text, 'audit'::text]))),
    CONSTRAINT vault_keys_state_check CHECK ((state = ANY (ARRAY['primary'::text, 'decrypt_only'::text, 'compromised'::text])))
);
CREATE TABLE public.vault_records (
    id text NOT NULL COLLATE pg_catalog."C",
    tenant text NOT NULL,
    owner text NOT NULL,
    kind text NOT NULL,
    object text NOT NULL,
    key_id text NOT NULL COLLATE pg_catalog."C",
    suite bigint NOT NULL,
    fingerprint text NOT NULL,
    sealed bytea NOT NULL,
    masked text,
    metadata text NOT NULL,
    expires_at bigint,
    created_at bigint NOT NULL,
    updated_at bigint NOT NULL,
    version bigint NOT NULL
);
ALTER TABLE ONLY public.events ALTER COLUMN sequence SET DEFAULT nextval('public.events_sequence_seq'::regclass);
INSERT INTO public.__diesel_schema_migrations VALUES ('20261123000000', '2026-11-25 14:53:15.930221');
INSERT INTO public.api_keys VALUES ('key_019e7044b2f876a8a55705c9cbc4101d', 'default', 'backend', 'payments vault_reveal', '\x72a68aa043346c1b825939de37bcf42e84dd0dcbb0fb76fdc49b59dbf073198c', 1780000011000, NULL, 1);
INSERT INTO public.api_keys VALUES ('key_019e7044b2f877f2b14428cfdd6b71dd', 'default', 'old', 'payments', '\xd16e2a0c998f18e31a341d6cbda3353ea8aaa89d0f01fa7da87d1f8e6f7730f6', 1780000011000, 1780000011000, 2);
INSERT INTO public.audit_entries VALUES ('default', 1, 1780000002000, 'cli:golden', 'vault.reveal', 'vlt_019e704488007b9bb6cc7440bbfd1131', '{"generation":2,"kind":"card"}', '\x1f6667af4f67c7c560f9e665f56b131f338fee9d02cefa3b6a17957630feb1fa');
INSERT INTO public.audit_entries VALUES ('default', 2, 1780000003000, 'cli:golden', 'vault.reveal', 'vlt_019e704488007d638680b9f30c3b56d9', '{"generation":1,"kind":"card"}', '\x4dfde31d6c3c129b20a1bc22a85cb5834c0028ac60457daa82b6e65f83e1c1b2');
INSERT INTO public.audit_entries VALUES ('default', 3, 1780000004000, 'cli:golden', 'vault.reveal', 'vlt_019e704488007705893b5c653fb5454f', '{"generation":1,"kind":"card"}', '\x1e77b3d85f5f908fa20f1b7b9d4a05110dd5dc441f926137c0d378863fc3af8b');
INSERT INTO public.audit_entries VALUES ('default', 4, 1780000005000, 'cli:golden', 'vault.reveal', 'vlt_019e704488007c73ad41200722f9df8e', '{"generation":1,"kind":"card"}', '\xdfff8e1e0d32785087586fcd4ab0dc411968d069b53c497c7d9ce80ee7242917');
INSERT INTO public.audit_entries VALUES ('other', 1, 1780000006000, 'cli:golden', 'vault.reveal', 'vlt_019e704488007ea2965379dd1ac0ffb5', '{"generation":1,"kind":"card"}', '\x0656c66cf8ed7875b661b83b63324f554ecb5634508bcc3337be704131192497');
INSERT INTO public.audit_entries VALUES ('other', 2, 1780000007000, 'cli:golden', 'vault.reveal', 'vlt_019e7044880079b6aaa2f4c42093e3d0', '{"generation":1,"kind":"card"}', '\xe6d7bdcb44ee9d037604c46e37e8bfeb3493b4cb10468d6c64bba259ad034f59');
INSERT INTO public.audit_entries VALUES ('other', 3, 1780000008000, 'cli:golden', 'vault.reveal', 'vlt_019e7044880078268af431660c15cc13', '{"generation":1,"kind":"card"}', '\xed0607ad55eade68fd1557fc1f892febffabca2e48bed53980d370919f6cde03');
INSERT INTO public.audit_entries VALUES ('other', 4, 1780000009000, 'cli:golden', 'vault.reveal', 'vlt_019e70448800727cb1cc6ff5c64ee538', '{"generation":1,"kind":"card"}', '\x227741ef59ad8ff1c05130dfe37784e32e7430f827fffe262283abcdf609a3ca');
INSERT INTO public.audit_entries VALUES ('default', 5, 1780000011000, 'cli:golden', 'customer.erase', 'ers_019e7044b2f87c1db1aaefcd1d23ed92', '{"gateway_deletions":[]}', '\xf92e54f587beaa99ab65e302b23ba5df319ce5198b046ebcc95fe0c1c7393fd6');
INSERT INTO public.audit_entries VALUES ('default', 6, 1780000011000, 'system', 'erasure.done', 'ers_019e7044b2f87c1db1aaefcd1d23ed92', '{"gateway_deletions":[{"gateway":"reference","outcome":"deleted"}]}', '\xd73adcd360c6de74d355cd6522b9f8bfe833aa0e9d444a61b6cad69ac5ab89b5');
INSERT INTO public.audit_entries VALUES ('default', 7, 1780000011000, 'cli:golden', 'api_key.create', 'key_019e7044b2f876a8a55705c9cbc4101d', '{"name":"backend","scopes":["payments","vault_reveal"]}', '\xb34127d4c1fb41623676af2ccd46c8b897f75b0b5f0c349d398939d8c4dc5d76');
INSERT INTO public.audit_entries VALUES ('default', 8, 1780000011000, 'cli:golden', 'api_key.create', 'key_019e7044b2f877f2b14428cfdd6b71dd', '{"name":"old","scopes":["payments"]}', '\x7614af701fedc2a14b69a4c53d4b601e27beeaa25ed8a75476446d1d287849a1');
INSERT INTO public.audit_entries VALUES ('default', 9, 1780000011000, 'cli:golden', 'api_key.revoke', 'key_019e7044b2f877f2b14428cfdd6b71dd', '{"name":"old"}', '\x9fb0bf179822b486a6262eeca253687ba939f385ceae497aba8bd020322b0188');
INSERT INTO public.audit_entries VALUES ('default', 10, 1780000011000, 'cli:golden', 'vault.reveal', 'vlt_019e704488007b9bb6cc7440bbfd1131', '{"generation":2,"kind":"card"}', '\xc42f3b6ae5df0cd667bba9adbccb7c1a66ee478c98a45cdbb6c93e8f7dad6d33');
INSERT INTO public.audit_entries VALUES ('default', 11, 1780000011000, 'cli:golden', 'vault.reveal', 'vlt_019e704488007f55a0fdb211c9883b9a', '{"generation":1,"kind":"account"}', '\xfdba1577fe591163144b902aa349b6c0d547587643f0e241c643520fb6258a75');
INSERT INTO public.audit_entries VALUES ('default', 12, 1780000011000, 'cli:golden', 'vault.reveal', 'vlt_019e7044880074f3b7009b54618b2453', '{"generation":1,"kind":"file"}', '\x268a69bca2d6682bf1f5a5653bb8f635e9bd6c0f8f3dfb9307ca72b7ced7b2a7');
INSERT INTO public.audit_entries VALUES ('default', 13, 1780000011000, 'cli:golden', 'vault.reveal', 'vlt_019e704488007d638680b9f30c3b56d9', '{"generation":1,"kind":"card"}', '\xd0b5c4ad7b84800225c34461bd7b5995912f78865978f5f5609938dc01d1a177');
INSERT INTO public.audit_entries VALUES ('default', 14, 1780000011000, 'cli:golden', 'vault.reveal', 'vlt_019e704488007b67b0824f881b1290fc', '{"generation":1,"kind":"account"}', '\xe320224ec03ee5d1815ceb08b9c24ff010d426e95d63a9216430da8aca5a1169');
INSERT INTO public.audit_entries VALUES ('default', 15, 1780000011000, 'cli:golden', 'vault.reveal', 'vlt_019e704488007356ad4514f4c1fd1753', '{"generation":1,"kind":"file"}', '\xf18709a939b5e554ca3d5d639bc8a48f54b6d19b3de3276032841cffd3b5bad9');
INSERT INTO public.audit_entries VALUES ('default', 16, 1780000011000, 'cli:golden', 'vault.reveal', 'vlt_019e704488007705893b5c653fb5454f', '{"generation":1,"kind":"card"}', '\x2d2abe38a57df11177844bd4d43bb327bfaeff2cb6994f18d250940384722003');
INSERT INTO public.audit_entries VALUES ('default', 17, 1780000011000, 'cli:golden', 'vault.reveal', 'vlt_019e7044880079cab1954e6e10be296b', '{"generation":1,"kind":"account"}', '\xbc3c70f857be485df74016960ccefd413593f838ad5e30438bbf467a2f488e78');
INSERT INTO public.audit_entries VALUES ('default', 18, 1780000011000, 'cli:golden', 'vault.reveal', 'vlt_019e7044880077de9e892aa853aeb1fd', '{"generation":1,"kind":"file"}', '\xc5924ea9fa352c8af45ad97ecbe46de53c5ba339591cd1b9bb024fa76c5400fc');
INSERT INTO public.audit_entries VALUES ('default', 19, 1780000011000, 'cli:golden', 'vault.reveal', 'vlt_019e704488007c73ad41200722f9df8e', '{"generation":1,"kind":"card"}', '\xabc209a6dbb368d0791d1863d7f46d6848a6a1435090e334814aedea107f0022');
INSERT INTO public.audit_entries VALUES ('default', 20, 1780000011000, 'cli:golden', 'vault.reveal', 'vlt_019e704488007f88acc7fa07d43356b0', '{"generation":1,"kind":"account"}', '\xd4b6e812b5bdab53862fae78f5e1b57c2754d8b8da4c4a365a18ed0063d9b53c');
INSERT INTO public.audit_entries VALUES ('default', 21, 1780000011000, 'cli:golden', 'vault.reveal', 'vlt_019e704488007b4ea75abd4e9c230476', '{"generation":1,"kind":"file"}', '\x8c332aa5d29d59329e027b5ee7bcab995d6bcbc669fddc1df9db5ecf2b05897f');
INSERT INTO public.audit_entries VALUES ('other', 5, 1780000011000, 'cli:golden', 'vault.reveal', 'vlt_019e704488007ea2965379dd1ac0ffb5', '{"generation":1,"kind":"card"}', '\xd1f2dec56e8f70dd437e6f562ec8f929aebb98e49492fa5592120899932c74cd');
INSERT INTO public.audit_entries VALUES ('other', 6, 1780000011000, 'cli:golden', 'vault.reveal', 'vlt_019e704488007d03afa42b3eb8152133', '{"generation":1,"kind":"account"}', '\x16bf3e2c1bef936b70920ed85c57a49c611a9d5357758cf3ce39dc619a86eef7');
INSERT INTO public.audit_entries VALUES ('other', 7, 1780000011000, 'cli:golden', 'vault.reveal', 'vlt_019e70448800746a885a4390a8bbde36', '{"generation":1,"kind":"file"}', '\x176c56ab0fcd525eaae32bab94d73d1d369439425d345389dfa728176b3320ac');
INSERT INTO public.audit_entries VALUES ('other', 8, 1780000011000, 'cli:golden', 'vault.reveal', 'vlt_019e7044880079b6aaa2f4c42093e3d0', '{"generation":1,"kind":"card"}', '\xbe761989b2fe9296af08af7cc68e393c060d1c62d1026b348d39f0a1c331ca29');
INSERT INTO public.audit_entries VALUES ('other', 9, 1780000011000, 'cli:golden', 'vault.reveal', 'vlt_019e70448800771c9b24fe6d5c54f42c', '{"generation":1,"kind":"account"}', '\x32935ef3e39ba6b2d7146aa2472e40ab4258fff8f62afacbe951e278dedee299');
INSERT INTO public.audit_entries VALUES ('other', 10, 1780000011000, 'cli:golden', 'vault.reveal', 'vlt_019e704488007357843c32c85b0bac8a', '{"generation":1,"kind":"file"}', '\xe6e2d02aaa31c1fc0c5ab8d4caf06161e6691f7ae7df3addb31396189be52bb7');
INSERT INTO public.audit_entries VALUES ('other', 11, 1780000011000, 'cli:golden', 'vault.reveal', 'vlt_019e7044880078268af431660c15cc13', '{"generation":1,"kind":"card"}', '\x6d7d324feae2ffafa1573b8dd44814d61f091b78b5e7936635eab078108024fe');
INSERT INTO public.audit_entries VALUES ('other', 12, 1780000011000, 'cli:golden', 'vault.reveal', 'vlt_019e704488007ec68076460b8612768f', '{"generation":1,"kind":"account"}', '\xb41c30d91023f1ab42355789d5a5c503e7be6b29e90ec04e5595f965a0aee7eb');
INSERT INTO public.audit_entries VALUES ('other', 13, 1780000011000, 'cli:golden', 'vault.reveal', 'vlt_019e70448800745e80cf2c2d46fffa8e', '{"generation":1,"kind":"file"}', '\xaf3ff4c10f0493f7e26751674d9b6da288438ce06d9238ed05670c2ce7f4e339');
INSERT INTO public.audit_entries VALUES ('other', 14, 1780000011000, 'cli:golden', 'vault.reveal', 'vlt_019e70448800727cb1cc6ff5c64ee538', '{"generation":1,"kind":"card"}', '\x81477118b7a9b443c9afe05c2abb8866134990c85aad547312b5519135a5cabd');
INSERT INTO public.audit_entries VALUES ('other', 15, 1780000011000, 'cli:golden', 'vault.reveal', 'vlt_019e704488007b88b61b41a16906d3c7', '{"generation":1,"kind":"account"}', '\x5fb34f46d34b4de2fbf686d2aabba7fe7582d36d405403b23179662acc3f5564');
INSERT INTO public.audit_entries VALUES ('other', 16, 1780000011000, 'cli:golden', 'vault.reveal', 'vlt_019e70448800728dba97b860ef7b02bd', '{"generation":1,"kind":"file"}', '\xaeeeaa8d3cd0273c20e494784860e7fd1e20614f27d6be70c7a545d9de7497e3');
INSERT INTO public.customers VALUES ('cus_019e7044ab287d7c9b6e26bd4a68274d', 'default', 'c-1', 'vlt_019e7044ab2876a6a7cf9dbc7a7bf3e4', NULL, 1780000009000, 1780000009000, 1);
INSERT INTO public.customers VALUES ('cus_019e7044af107d3b9c55921939174d41', 'default', '日本語', 'vlt_019e7044af107fbebad364c52da8def6', NULL, 1780000010000, 1780000010000, 1);
INSERT INTO public.deliveries VALUES ('whd_019e7044ab287524929bc3fe9c512dac', 'default', 'reference', '9b2d6dd469a71bf79e6d3964657769e1f62ec5070550d723ed4d0f8eda59a615', 'session.completed', 'vlt_019e7044ab28737f99d70c8c6354a53e', 'cus_019e7044ab287d7c9b6e26bd4a68274d', 'done', 1, 1, NULL, NULL, 1780000009000, 1780000009000, 3);
INSERT INTO public.deliveries VALUES ('whd_019e7044ab287466abe05e40170acd59', 'default', 'reference', '0bd4efff59d7b0e7400cdf920d36c4f72cd1c419a9ce8512abcc286b2054bb07', 'session.completed', 'vlt_019e7044ab287edf86245a3686c9443b', NULL, 'parked', 1, 2, 1780000015000, 'it matches no session or payment method', 1780000009000, 1780000010000, 5);
INSERT INTO public.deliveries VALUES ('whd_019e7044af107c5dbfcb8e4de54afc46', 'default', 'reference', 'e8116b01b29851e5f43800a6fa170c5380201ed92672c5073ba9784509dded25', 'session.completed', 'vlt_019e7044af1074a7b6efad4d1f0ff1bd', NULL, 'done', 1, 1, NULL, NULL, 1780000010000, 1780000010000, 3);
INSERT INTO public.erasures VALUES ('ers_019e7044b2f87c1db1aaefcd1d23ed92', 'default', '7ad914c256926a16eff04317e990dea3a4d97da0fb191f9a8f0d38bd5ed34bef', NULL, 'done', '[{"gateway":"reference","outcome":"deleted"}]', 1780000011000, 1780000011000, NULL, 2);
INSERT INTO public.events VALUES (1, 'evt_019e7044ab2870fb86beb71280d1f9d0', 'default', 'payment_method.saved', 'pm_019e7044ab28756e93e2bd03efe6c4cf', '{"id":"pm_019e7044ab28756e93e2bd03efe6c4cf","object":"payment_method","customer_id":"cus_019e7044ab287d7c9b6e26bd4a68274d","gateway":"reference","provider":"reference","mode":"test","kind":"card","channel":"CARD","status":"active","usage":"unscheduled_customer","is_default":true,"display":{"brand":"Visa","last4":"1091"},"session_id":"ses_019e7044ab28701db8e477e7cc28b09e","created_at":"2026-05-28T20:26:49.000Z","updated_at":"2026-05-28T20:26:49.000Z"}', 1780000009000);
INSERT INTO public.events VALUES (2, 'evt_019e7044ab287484a2507422523a0fd4', 'default', 'session.completed', 'ses_019e7044ab28701db8e477e7cc28b09e', '{"id":"ses_019e7044ab28701db8e477e7cc28b09e","object":"session","status":"completed","gateway":"reference","provider":"reference","mode":"test","customer_id":"cus_019e7044ab287d7c9b6e26bd4a68274d","usage":"unscheduled_customer","currency":"IDR","country":"ID","channels":[],"metadata":{},"return_url":"https://shop.example/done","make_default":false,"payment_methods":["pm_019e7044ab28756e93e2bd03efe6c4cf"],"settled_via":"webhook","expires_at":"2026-05-28T20:56:49.000Z","created_at":"2026-05-28T20:26:49.000Z","updated_at":"2026-05-28T20:26:49.000Z"}', 1780000009000);
INSERT INTO public.events VALUES (3, 'evt_019e7044af107e138d20c3e9d96b0523', 'default', 'payment_method.saved', 'pm_019e7044af10752fa45b7c2a4c764ac1', '{"erased":true}', 1780000010000);
INSERT INTO public.events VALUES (4, 'evt_019e7044af107da38983186a490ee1c6', 'default', 'session.completed', 'ses_019e7044af107be6904ef9447e624492', '{"erased":true}', 1780000010000);
INSERT INTO public.events VALUES (5, 'evt_019e7044b2f870fab1a57e4e5c9ae3d2', 'default', 'payment_method.deleted', 'pm_019e7044af10752fa45b7c2a4c764ac1', '{"erased":true}', 1780000011000);
INSERT INTO public.events VALUES (6, 'evt_019e7044b2f872b78f86bb188fa61665', 'default', 'customer.erased', 'cus_019e7044af10769da2a5a87eaeac5bd9', '{"erased":true,"id":"cus_019e7044af10769da2a5a87eaeac5bd9","object":"customer"}', 1780000011000);
INSERT INTO public.payment_methods VALUES ('pm_019e7044ab28756e93e2bd03efe6c4cf', 'default', 'cus_019e7044ab287d7c9b6e26bd4a68274d', 'reference', 'reference', 'test', 'ses_019e7044ab28701db8e477e7cc28b09e', 'card', 'CARD', 'active', 'unscheduled_customer', true, '{"brand":"Visa","last4":"1091"}', 'vlt_019e7044ab287ac894c43b6c5f466b2b', '83f8a2e40f5a8a71d2e506f6dbeae1b132ffe65165b107aa99def33997a53699', 'e57de73a9d184f52beacf14c1470ce1e16a3e470c11bac20370f88cde2abcb23', NULL, 1780000009000, 1780000009000, 1);
INSERT INTO public.sessions VALUES ('ses_019e7044ab28701db8e477e7cc28b09e', 'default', 'reference', 'reference', 'test', 'cus_019e7044ab287d7c9b6e26bd4a68274d', 'completed', 'ref-0001', NULL, '\x3ffffce5ebe2dd89168f6ab0c1456863c84eefa87a41b2802f247633b9fddd03', 1780001809000, NULL, '{"usage":"unscheduled_customer","recurring":null,"currency":"IDR","country":"ID","channels":[],"locale":null,"description":null,"metadata":{},"return_url":"https://shop.example/done","make_default":false,"gateway_customer":null,"payment_methods":["pm_019e7044ab28756e93e2bd03efe6c4cf"],"settled_via":"webhook","failure":null,"returned_at":null,"checks":0}', 1780000009000, 1780000009000, 3);
INSERT INTO public.sessions VALUES ('ses_019e7044af1079a581f9c4e41fe86fe9', 'default', 'reference', 'reference', 'test', 'cus_019e7044af107d3b9c55921939174d41', 'active', 'ref-0002', 'vlt_019e7044af1079e5955f05df6da90559', '\xc5321a0de761c2291f7b8629499ae82e6048dda09dc307e284cbe073ad27b224', 1780001810000, 1780000070000, '{"usage":"unscheduled_customer","recurring":null,"currency":"IDR","country":"ID","channels":[],"locale":null,"description":null,"metadata":{},"return_url":"https://shop.example/done","make_default":false,"gateway_customer":null,"payment_methods":[],"settled_via":null,"failure":null,"returned_at":null,"checks":0}', 1780000010000, 1780000010000, 2);
INSERT INTO public.vault_keys VALUES ('eea5ab78208d3fb5270d6e330bbdeac6', 'default', '', 'fingerprint', '\x504d5601000100001c41cef64a3336d7ec66cd3944e55ebc97b42e91fb5201987a9a3191cd61c293debfdda45595923c6350ecf5d221e7ee9d794c17b43ae2125bec5951dff2c34d7c83d334b738dd5152d5a2520d41344f3c5915dfdebdc428655bdab4577853013cc133389d7c2668a4ba54fc6a4db546ad745c43b9d94823df2aa7c42b53a4419a6d4f93ac7f638cb80c5fed1d0534cd38a58f13f24d3ba350b3639fdc34ad330bd81201f3414a465b5f8674', 'local:1c41cef64a3336d7ec66cd3944e55ebc', 'primary', 1780000000000, 1780000000000, 1);
INSERT INTO public.vault_keys VALUES ('02cfd4d3848fabfe6e53ae54de77ae01', 'default', 'o-1', 'data', '\x504d5601000100001c41cef64a3336d7ec66cd3944e55ebc902572e6c549f46fa1e37a29ef15f3efde030ba4cf17498546c7565bad010e2ea61bd0dd4a597b663a982596a4750f9d03e718f2fb5dbc2b4d55df6f2c004e8581f5844cef41e8e37199012959f049e7bdb9683383ef508cddbfec037ea90a5342e387c6c0167df0d31ef087ccad4330b054c5c706e9fbb516204acfa27df6b658a58aacd8ca44b35fdd6319bc8e039a026ae3bf1a92af3081995f8f', 'local:1c41cef64a3336d7ec66cd3944e55ebc', 'primary', 1780000000000, 1780000000000, 1);
INSERT INTO public.vault_keys VALUES ('146701dd3c0577a707758922a20edd8f', 'default', 'o-3', 'data', '\x504d5601000100001c41cef64a3336d7ec66cd3944e55ebc9ebe28b76f780b538911c4d9ae36cde0f40e424eca0f3197d3b7ec21c19d41903a071fa7b21403a1c58c15138302f0e64c6ace513f1ea4accc808a2eae4575106295c731b4f0bf0efc80f7666e9b33c7b66e683ef39371cd69bf58d116908c3ab1fe74b0d0ed3e9ee3341a9c43568bb5ce6629514660c509bf1148f9887013cfc19ac104544d61e2333e4ed072709714e35825b3118b91e7665c4e06', 'local:1c41cef64a3336d7ec66cd3944e55ebc', 'primary', 1780000000000, 1780000000000, 1);
INSERT INTO public.vault_keys VALUES ('b9a0daed136b8c0136f01f5647d517e2', 'default', 'Straße 💳', 'data', '\x504d5601000100001c41cef64a3336d7ec66cd3944e55ebc944e7b8dc5c06ca4a25eb110514f82fdeaea5dfee59bb6c35725dca17ccde2e44b7939ea4fb28e13eba3913478adeb1e2d59ed0476e92f5266180c4b24e84099e61398ce382281639c17bba42ac2f71262858ee2844af61b9035902e8ed61ed161baaa339359a25f4c26a54f05bf401d92752d039f6bb869f2dabb8ba054f6a9c29ad52cda449c0ee5c284d7b9e9cac6217f76be95bf578321c43996', 'local:1c41cef64a3336d7ec66cd3944e55ebc', 'primary', 1780000000000, 1780000000000, 1);
INSERT INTO public.vault_keys VALUES ('0df7d6bff32be4f5dcd92181d6db395d', 'other', '', 'fingerprint', '\x504d5601000100001c41cef64a3336d7ec66cd3944e55ebc514b68c24955d4182f761c30c1fea67cad7c3ec66df2f9166a6656c14c16412c4aab20fdfc5876b5981f5f45ff4a23d2977f25494d06437ad78667688948576e88f49e937a6d3f855b2d3563395b3f4611f171768ae9dba4a47fa696b54951e6514ef4ed0b6eaf7bc9a8d5c8ea1d6f0483dfbe3b94749341f592c50921e46fad0cf59f171d7d028302c5ef25b5cd37e4697cd4222c610ed73f9a75cf', 'local:1c41cef64a3336d7ec66cd3944e55ebc', 'primary', 1780000000000, 1780000000000, 1);
INSERT INTO public.vault_keys VALUES ('acfa915e684b57f7830b59d8d5816bfd', 'other', 'o-2', 'data', '\x504d5601000100001c41cef64a3336d7ec66cd3944e55ebc31fdb35253febe6d8f70b4c8250fa1efb695b893d72a52e775e605e91eb6e023162cef6f24d4a4b79ddc24a8ec768751df5ab0f6356d993cdf763c2c08f504df9b44768d681a535c967001ff954928244dda15f8764c4e777b4703c7a62b05db2f19c7e0da20e7812f5ba8c4a27d1a7370c0dd7a36fa4f30e0567dded90c0c011291ca75b0c017d3f78921219e886fc74352f8e40bb0abdfc893ea20', 'local:1c41cef64a3336d7ec66cd3944e55ebc', 'primary', 1780000000000, 1780000000000, 1);
INSERT INTO public.vault_keys VALUES ('808d73e796bacbef1ab0af4c1427332b', 'other', 'o-3', 'data', '\x504d5601000100001c41cef64a3336d7ec66cd3944e55ebc8ddab57a6f654a5b665945552492a9d0195b1008890fe5a8c219dff44f73e1c352ab2d12ff389d94c8daf28b4f0132efde1667c7c9c2bf776d336e070d4eb649335945c6c11bce029f9f3cd9c5ec525979aedd776a091541855724e059183c850803d45cfe9af3383f66cfe1414fa8f9380e24259c17d6e060518ebda14bab2f18f09b45ec3aaad3e304755c86ca31b535dc06314e04e8cddecff906', 'local:1c41cef64a3336d7ec66cd3944e55ebc', 'primary', 1780000000000, 1780000000000, 1);
INSERT INTO public.vault_keys VALUES ('576d139c41afda3a0a712e93ce4cff98', 'other', 'Straße 💳', 'data', '\x504d5601000100001c41cef64a3336d7ec66cd3944e55ebc33f58c07c071c259868bd4b9bbd2860c3d5be04f47a81cfc95136133bb82a421096f9a1ae69b62351aef315116bd44c05e659bfd15491cb0af9c869f1a3bcd05f562ebcd1b6c16e7808e897eab9f42f1b5afa66003aa4957b9a754c2a130e34a53022af6f92050551e6978379fe04b4603374fb51661d544459216c13499c2799f10bc3ff45b993a844deb5d69a3c8bd94e01fd646f533a5202ca627', 'local:1c41cef64a3336d7ec66cd3944e55ebc', 'decrypt_only', 1780000000000, 1780000001000, 2);
INSERT INTO public.vault_keys VALUES ('905a1580bdac323cc0214ae3a248ccc1', 'other', 'Straße 💳', 'data', '\x504d5601000100001c41cef64a3336d7ec66cd3944e55ebc82d3b5ba798e9be87a70bdf8fab679fb5b62c3b982ecf4b331468821cc76b37b93a5c1dd9ab9622732eb8bd389808da88ff839fda3e87ecee5b257b0c167f5c8048119504124f767b12c700f50f40f6678b49658a5bb1e70ec73e1b57d86ccbbef61e6b277cdb28ab9d0326350f07e8b4a0ce968cbaf0b4c1d8de4d48720b5c26e813bff7dffacb5ca53bedf533a39234b06a05e3144e79016cc9768', 'local:1c41cef64a3336d7ec66cd3944e55ebc', 'primary', 1780000001000, 1780000001000, 1);
INSERT INTO public.vault_keys VALUES ('5f0d767352eac1edc7b0421858f9c800', 'other', 'o-1', 'data', '\x504d5601000100001c41cef64a3336d7ec66cd3944e55ebcbe71a92764ace42c9e8b904a1045aaccc7c3dad4a21d25b9523b63c58f16af347088b9a2663089f472e901f8ab3c1bfb7ca79e0342f6c9cecdf0cb3991b521f0e48df033c2b680abc20d2585dbdff575053cc1e76b19ed1b6cedd5309aa33a908035ee086441abc32532924d4f4038238d913b4b337b9e6856b2d07b85f6f5c0553cb6928a2aec45292dd9e696ebe2b51afc5512e59a0b11be21f23d', 'local:1c41cef64a3336d7ec66cd3944e55ebc', 'decrypt_only', 1780000000000, 1780000001000, 2);
INSERT INTO public.vault_keys VALUES ('2f9e5ead22c892a4ba8c8c9019d0c8d3', 'other', 'o-1', 'data', '\x504d5601000100001c41cef64a3336d7ec66cd3944e55ebcf0751e2c90ec3a6ec74929244559a2e31b90db43000fdeb5639f0bb439edd6f3033a376e0bb2d793628b343f2396b90ed390c714b83972de0a737586f2a713c10de36fb7b3341fcdafa055cffb94b8ecc93825b7893c92a6c26ad9667bcfadb42eb24178e4766b9dc61809708d1b1742ca1f520214eaebcfeae2af61dcb938c7982b6f03a75190a335df5980a78417e261f1435dc82f64e86dc920f6', 'local:1c41cef64a3336d7ec66cd3944e55ebc', 'primary', 1780000001000, 1780000001000, 1);
INSERT INTO public.vault_keys VALUES ('23e87fb5b52d3e25cab1799550a51d67', 'default', 'o-2', 'data', '\x504d5601000100001c41cef64a3336d7ec66cd3944e55ebc4d0b12611a73fe061eec0389a953a9e37e25bf74d64ca2a5dce739cb316835fe971eff2a58577e833b96569ab997bdf1a6853c296095238a8e2a2c35c875971b00cbf034771759a65b3b41c137c3a1a6159c23f9acc433ab2ad396746a085e580cec5a746a6a26d87176cfb4c877bdbd8829660d72c8876ff0bc1f9330b922b0db3a827541da64082ddc530df5d1433a35054a879fe4d4921c9ea2b2', 'local:1c41cef64a3336d7ec66cd3944e55ebc', 'compromised', 1780000000000, 1780000001000, 2);
INSERT INTO public.vault_keys VALUES ('f1f09341ada5ee8e394044a1b65c0769', 'default', 'o-2', 'data', '\x504d5601000100001c41cef64a3336d7ec66cd3944e55ebc66a722c1aae2339c9b975aff2e5540c1667ced061a1c6acc386f7243aca405842950a15bae90df45dfd72513671a77110630b9d30a778a289c6a60e7bfe9d463de18bb0bf028d13db463ca684f74720cef9e3be0a23ea8d5994a392c411431ddc8494e884460beaf11d97da3a871ac42c7eefeebe39ea7f54d81e0e358a250d697fed0659793fc14bda8f5db7c8174b48b8fc8014b9370edd37dcc4d', 'local:1c41cef64a3336d7ec66cd3944e55ebc', 'primary', 1780000001000, 1780000001000, 1);
INSERT INTO public.vault_keys VALUES ('82faba117a2f8c4525daf47c9dc3bd90', 'default', '', 'audit', '\x504d5601000100001c41cef64a3336d7ec66cd3944e55ebc8e18bde86e56f7648296d1a4ebcb600326f871169be0cf52448f79f1bd079a3e50a776cf8ec4fcdac4183adf4fb469121beb4762c6eb11b69014b0a4d8e4c544cf178259c4056ab16a79bc8d32784d9aa73acf87d87c4446ba732956a549312b05ab3ff9949490ad81a6e1e68fdef9b4997d456749dbb2100c427a664915b7e32cccce9ef601651a599715d0f2770d21c86372ec4eb651f95fe31d96', 'local:1c41cef64a3336d7ec66cd3944e55ebc', 'primary', 1780000002000, 1780000002000, 1);
INSERT INTO public.vault_keys VALUES ('382dfe272bbc3669d98af59c9d4c4a8e', 'other', '', 'audit', '\x504d5601000100001c41cef64a3336d7ec66cd3944e55ebc31474219d9f7c4dab390d155fd6cccdf7c8cea2754b51f6b385eadea96e06db3c8ffa65962db4271994bfb4cb8fbfa0bfc0fb40b3e6d43e7f6ca6162c77276ea4059a132918176ffde9334dcfe9e78cb05de353ad832163703be19f515e168779e3ef897b369acfef8e7ad43c06e9508b21b63d7ab96c3d8c062c1db401e7c76bbe9b87e6c4003db1d58ebdcecf1fd1e2c52b2eeb131712ffb869876', 'local:1c41cef64a3336d7ec66cd3944e55ebc', 'primary', 1780000006000, 1780000006000, 1);
INSERT INTO public.vault_keys VALUES ('e1b5ecf155a0cdfac22c8214557ed773', 'default', 'cus_019e7044ab287d7c9b6e26bd4a68274d', 'data', '\x504d5601000100001c41cef64a3336d7ec66cd3944e55ebcad8056602658332fe0ae3db6b06b38a1df913cd7918617628d880364a434a745b276191314fd4a58830b5c3047bae62701faa3f4745df9583a428a80bb36b7514f24d51de281dfc9c99ff3f4384f0673b0836586223c08fce75bb22b783390732fd1b04a991920f9a4c18abe8843d188f252cce79f75bc479920f84d7d4392423987eeccddd6d64b695297e5ebc642622b4e84c6a6ee82061b680dce', 'local:1c41cef64a3336d7ec66cd3944e55ebc', 'primary', 1780000009000, 1780000009000, 1);
INSERT INTO public.vault_keys VALUES ('ccc6f7fe764b23ff13612a3157d93c7b', 'default', 'reference', 'data', '\x504d5601000100001c41cef64a3336d7ec66cd3944e55ebc35f99abe75b1fe658353198e39a51d2e5258dd10d6e10ea90e10df1638f9fbb6f7f6bf4dbba4541f9f7b7a2c9b80d4ee67b819cd8e9495fd6b0388d9bd20cb25b0dee568a3b3331b1950535b060e111e5fe23005db7d8bfd85b67a75985defee18204a721397a569f47de2d7a6c5527a39f63c8a307d2f3ad2d2b1e706506f71f496486609d693577061d6bde3d7320f0a6a68d6fcc7f6e2b1dc5852', 'local:1c41cef64a3336d7ec66cd3944e55ebc', 'primary', 1780000009000, 1780000009000, 1);
INSERT INTO public.vault_keys VALUES ('8976f94356eafc80eee65008d2de4098', 'default', 'cus_019e7044af107d3b9c55921939174d41', 'data', '\x504d5601000100001c41cef64a3336d7ec66cd3944e55ebc1e1735df59452f28d80dcf542ac2b784ccec3af065c9d63e379115b4b11428c8165612a2c1ffd3acce00bbd8b2995b3ab1be64f87fb44b2db5749f8acf4f808f6bb3e34b4eeab80663c045050c231111b46c374f74a8680ce7b06135b4202ef2b001be73354f3ef45ecb3cf9aaa867a685b15fd7c83665f35758f17a068da06e337a5dfbb39e033c405107a3c2b53e581dcf633d0488f32523b0d352', 'local:1c41cef64a3336d7ec66cd3944e55ebc', 'primary', 1780000010000, 1780000010000, 1);
INSERT INTO public.vault_records VALUES ('vlt_019e704488007f55a0fdb211c9883b9a', 'default', 'o-1', 'account', '', '02cfd4d3848fabfe6e53ae54de77ae01', 1, '0784bb09b5b46eb387e36d1f5cc3c21f63c09116b6e2dd714221af509b092564', '\x504d56010001000002cfd4d3848fabfe6e53ae54de77ae01e05792f5328e6e975e46570d2813115f206146e5e958a6d67d9921c06e31b164c1012ff19ba37bed244ed11533bcd9053e5a1118829f03a82c82357c6d22509addb9ad6aa6f6c64df2340cad6e9992368673efbcad0b3df5c0e8e4f08ded7250a1b02974a96a6e3accb2f0c068febd3bddaa3a304fdd379d9d9f4a93cdce18a59cf730e8609e3d209ff634f01407a922e2ed06d2d714b0f75993277f691e088f35463b88453a4e3f93480260cb4b30863fb8410ca8b20616493ea4e7bc7b0b5c3882114de4969d51ecc41c0d0ee34a9db3195aff3e817e6892a1ea26', NULL, '{}', 1811536000000, 1780000000000, 1780000000000, 1);
INSERT INTO public.vault_records VALUES ('vlt_019e7044880074f3b7009b54618b2453', 'default', 'o-1', 'file', '', '02cfd4d3848fabfe6e53ae54de77ae01', 1, 'vlt_019e7044880074f3b7009b54618b2453', '\x504d56010001000002cfd4d3848fabfe6e53ae54de77ae0172fa977679039817f97e9996eb234c79bd256a6a71a5e3abf399970c26a42521fdfc3ff2c7db365f2954f5a687b20d68a470110a7b288f8d5662f470b6722ff0bdc963fec9e4a59b8814d5bfd6c4c4858d6bb0f5180fdccbe96fc207509d82e79dd94f57cc15022351d37b4dc17be2b8dd40785ac05ec69524af5673056366229f80ea69919c2e1480b72288a32cc8e523311c7bcecdf3c8cbfa4a773bbfa84c1bd6ba55d9092a76198dfa31bc36d063c3dc0f7e620ab571c99eeee538796968fa0876d76bb4bc99a04c241a737f6e6a66e42ab9264e13ed140cd23e96bb3e8b6a0da93494d193f1ead90dceea229cb5a4da9884381355f513a9374be46723cdc90f271e54a0d34d01b209dc25b2e59c7f2074605d3874a0d5fb8b243f05ef535e40ff4fbbc5e5a5d721a890b6ae3f9d58c23951d2ecfeb5d9d9b09ed664df333265ac17254b968a2c2b081e15087a079296ac6a0d3dce9b6c24bb405fc53cd5e57592c3b88aba76fc6d0fac38db115586c1118ec300f1cb1ca1773268b1d2a3a11aa71e68c9a5fca8362f827e51403eb4a73f4872d4c5da8ca10ba0', NULL, '{}', NULL, 1780000000000, 1780000000000, 1);
INSERT INTO public.vault_records VALUES ('vlt_019e704488007d638680b9f30c3b56d9', 'default', 'o-2', 'card', '', '23e87fb5b52d3e25cab1799550a51d67', 1, 'c9c9b5a0abd77c8ae6c243df530b2db4c9ad8ea21b153fd493c8d0585c05e7e4', '\x504d56010001000023e87fb5b52d3e25cab1799550a51d67964454b20b5da261df0e52260251228210bdc0585fae9f652daeb655c30a777a3d8b6959670dd36f3e634f0046fd2eb6e94a64421a1659e12736b96478f4bab7d97969541ab9b4d5236e72a6271968f4fa697f1a543272f096208303cbe133574bfc2c488fc2b0f0e971fe3e20d68f72095b480f0caae4b41327a316fe10dd4d6c878a5be84e53a4e45a33781abf9916018114107899cddcf550f762', '••••1111', '{"note":"it''s \"quoted\" \\ %_"}', NULL, 1780000000000, 1780000000000, 1);
INSERT INTO public.vault_records VALUES ('vlt_019e704488007b67b0824f881b1290fc', 'default', 'o-2', 'account', '', '23e87fb5b52d3e25cab1799550a51d67', 1, '0784bb09b5b46eb387e36d1f5cc3c21f63c09116b6e2dd714221af509b092564', '\x504d56010001000023e87fb5b52d3e25cab1799550a51d67f41fc39a7da7b01002032d00ae76e70669b019002f66c273927a95e742e87286460449b6cf55a0a230e365ea795397487c6215b5979ffb45a1f683c4a3e6806b14cb4602bcc291d7d809dd45d7f53a35012a389973940291c2d1a194dddc747325a570fc5717d64e0f69058916408ff994e38c1308106f4e0031354df73079d197688f804c0ad3e9749330ae137256fd89c189f733a93e780257a14f53964a8f2650c59df4ab3869c5b5734df0f5843d64bbc00d1fdaadd94e3bac803a7bd16fbaf78be00d0e618acedfe3952863b050f3d224ec28e05a210b716d02', NULL, '{}', 1811536000000, 1780000000000, 1780000000000, 1);
INSERT INTO public.vault_records VALUES ('vlt_019e704488007356ad4514f4c1fd1753', 'default', 'o-2', 'file', '', '23e87fb5b52d3e25cab1799550a51d67', 1, 'vlt_019e704488007356ad4514f4c1fd1753', '\x504d56010001000023e87fb5b52d3e25cab1799550a51d6776731c611f43df2afe8abfed46d85cc3e68c0d1ec8e6cf2502fb0d458b43377cb46e0004085588dee5ebc26f07db7b95db12b281088b92275084e7e8370d09dd8affcc7a4ed780cef229113dee9714875d9e29501bc097a7f8d83229b00e911ff26b13f37a628c289a16af2de91c19acd41d32b7b461731746720a82d23cfaa907cd11058cc3366aec60b5634a2ee266c34b2db3772433b41faf56e8f78abe39e0af708934c26c35390f1cb98bc4cd9887b5e0e149bc44cab7eca23a4a3459207ba2fb514f9f9ede80d9f10d2a6958e325441ec9b1d5dd5a889134043fbd724a3007bc3add1a02ec88714ef9864ffc0f49930af78b5feee73a3b8c1af8ded446fc8328f80660ee2d28823812f91780c92acbd9aa7ea66ac98f80f7355e7b48032a133ac6b29a90f826552b9e0ae942aa4ef336b799ec1592439e6957e5807629413831d11cf5f48430f77c1e134e9dc6761f35224732473f436975ea0efc71ac1f4f2a31c4e70ff95949ddf1bcfca3abc999b30dbd12a4d156cb9a90f0fd479047293036088f28d40183e1981c54dab70cef5fc20e14fa125ae8c3cc', NULL, '{}', NULL, 1780000000000, 1780000000000, 1);
INSERT INTO public.vault_records VALUES ('vlt_019e704488007705893b5c653fb5454f', 'default', 'o-3', 'card', '', '146701dd3c0577a707758922a20edd8f', 2, 'c9c9b5a0abd77c8ae6c243df530b2db4c9ad8ea21b153fd493c8d0585c05e7e4', '\x504d560100020000146701dd3c0577a707758922a20edd8f33ed9bc0c9e19411f2f7e465ee8ed1ce3061f24923d56065336f29d5d54d744f0797365a77a3827cb16da25db3a2fbe2bb76ea769189b20bc5af8754d5b371b5baca6a406911e025884d975396cfdababe7c29ba198d713f8359dcf5d094c3e47a43a9c1291da8b812f18f5e4777ba06a122a4d67e3fc4bbcaff55c75ca9aebdc2c3c6da25794fb0c2cf3ef07c0df58b19d327ab280ae58889fb84bbabb4a83f6a0beb6aa9b1a0b3', '••••1111', '{"note":"it''s \"quoted\" \\ %_"}', NULL, 1780000000000, 1780000000000, 1);
INSERT INTO public.vault_records VALUES ('vlt_019e7044880079cab1954e6e10be296b', 'default', 'o-3', 'account', '', '146701dd3c0577a707758922a20edd8f', 2, '0784bb09b5b46eb387e36d1f5cc3c21f63c09116b6e2dd714221af509b092564', '\x504d560100020000146701dd3c0577a707758922a20edd8f33e573334918658f3de93eab680af6b879b74f9c428e7e8b2f1103f02ee1ea911a075815d1ed2f5755b42bdd3b75a26d29bbf534908969838322ca43ddf6e35533267f724c8dfc94263b02cc723375523714af62419f9d57dac7ff5d9b91d79bc5bcefd7972c9ca8556dada51c7beebcc62520aa608d7d81705974247e30b24b28a0fe24cc35dfe6d451a93fcbc57e9d0efc59282c4f1730b5d0c54f333ff2263ebca8aa55e529b978da4b259012f54642a8a07c05985505ff19ee263123e61330c03558ea2e0fcc1ec719191b981221009e23df157535084fbcb02d6140323a1fdf8c7aae470894', NULL, '{}', 1811536000000, 1780000000000, 1780000000000, 1);
INSERT INTO public.vault_records VALUES ('vlt_019e7044880077de9e892aa853aeb1fd', 'default', 'o-3', 'file', '', '146701dd3c0577a707758922a20edd8f', 2, 'vlt_019e7044880077de9e892aa853aeb1fd', '\x504d560100020000146701dd3c0577a707758922a20edd8f3227b94591b12ef50f586f3459f78a93d92af19c58984080c35c3f0d2247dce241a4c1568d4a67073afe9efb540c514a474a75d43415d51f266cc9e11183609adf6431f74f1bbc39013bcf6189b7a0c47f750f32a243233859b1a438963bbccdadb4d882c9d561d37f72af5bf0429552aad0fd8473950d0ed81cfd8f6131750c612ed26254e9e6bf5d3523acca0016946c3e7b2e009bb390bef39461ed47a979615ef1f9259f06720f7af5b32791d16e8f6ed01f2d50e0e7ae91f35dd16385056483c60c4c6d1461ef9ff8b19e2a0f4e95c127165558f00d7b2b71befd4f4262311db05986fa5b50238aaa8f1e45d919dd4b4b3c5142ac06fea8354836074794b90f94c516a1044a791616dfdc3314e6ebf4be718ad07998ba7bb90d8a0be60f0e4bd53dc94cb27162bb6f58fd9f9fbf3984502c75ac5564a4730655ad0b5c04ab4044b59d8929de562287ec3c1148a0f563ef352ce21d30f12705a5ee2e9f60536dd8cbb663cae5c65641672ca46913fec3896681f02f4b643c788cd79f5e745e3de3cd8422e195778bf92dbfae399266a3b2cff2f4f905f4c8813ef219e7b88ff23d3267cd95dd', NULL, '{}', NULL, 1780000000000, 1780000000000, 1);
INSERT INTO public.vault_records VALUES ('vlt_019e704488007c73ad41200722f9df8e', 'default', 'Straße 💳', 'card', '', 'b9a0daed136b8c0136f01f5647d517e2', 1, 'c9c9b5a0abd77c8ae6c243df530b2db4c9ad8ea21b153fd493c8d0585c05e7e4', '\x504d560100010000b9a0daed136b8c0136f01f5647d517e275e7e8154ca4b532060cf3146556dfc0b1ab4cd740fa1569d72d48762d3190d3dcad2f5e6f6e8ce76c9c2153d64ba203bfd5829164d1fe17670456f9504fdab5f8925c8adf083b89ae3e4b6fb86746287f20b6094664f3fccc2bc334b02a9fd5e80fdc77a2cc9e05f4303fcb2d76be05565cc9ee368c824fba79ddd23a080f70d5907cc5155a98f11e5c29827c18c6b856609609571ca1ea3137a1e2', '••••1111', '{"note":"it''s \"quoted\" \\ %_"}', NULL, 1780000000000, 1780000000000, 1);
INSERT INTO public.vault_records VALUES ('vlt_019e704488007f88acc7fa07d43356b0', 'default', 'Straße 💳', 'account', '', 'b9a0daed136b8c0136f01f5647d517e2', 1, '0784bb09b5b46eb387e36d1f5cc3c21f63c09116b6e2dd714221af509b092564', '\x504d560100010000b9a0daed136b8c0136f01f5647d517e28a79d201c766c87ef3bf600c2a311a024c648f9edb85caf8834dd45cb487d6af9e2bcdb986ab77ac57b11df54721b788f1c5b83466076f6232eaab1a818a049894d86dcbb819700461cd0758576588ee61766af86059c5758110e4a5e482481d2623652987793963d670ed253fd49d739b33cf0b2aa501f62316603486a7408af1d5593818b5e882df32021b23411e1c18d1589b4d5dbc7992bcbad6ee1698d9310fe8192e1eafb0e61281fd79a4a0a2f3f7204e7e73203858fd0998962692306cdcd832ad358e1c456f04f0adcc6d227c404a98bd9c8d49d1f64d87', NULL, '{}', 1811536000000, 1780000000000, 1780000000000, 1);
INSERT INTO public.vault_records VALUES ('vlt_019e704488007b4ea75abd4e9c230476', 'default', 'Straße 💳', 'file', '', 'b9a0daed136b8c0136f01f5647d517e2', 1, 'vlt_019e704488007b4ea75abd4e9c230476', '\x504d560100010000b9a0daed136b8c0136f01f5647d517e2365aa99e2cbc7ddd3bc45aebf9b79a42f51ec988f757a234af537890ed86a0b3a6641eabe5e49c8ad6b947765fbda7ad88ebfac3fa3274f34591c9932ed9a5cd7286bce53a4d3e33f78bf7e651cd98e0a1a153d47be62b36ef36f9125b7a41193bb903e3841636c5b495e6545aed6499625cceebe1f1c7436b250cdf92288c66d7051d57a15413e01c0c602aef7a31cef3f731aaea5887553f8e2129a99d4d9157baad946541302a52aedf2ba57deec372a83107661242a5f3ed61af6a1b7ad2a8946bc80f88c91b16bc3868bfb7a3fbe4f22522578d276bce90bad8faa6c8539b2e2f195c08582d39701d35ff87d599cff507a66c916a5e880cbe7bd7b29ff6038843f30a0b70ab279d79991d416fa6200260e9ff368cf63fc95efbf9c06ec709ebb63ffbe431678cc07874606f6e3561d32787ccaba4fa66c839b562bacdaa15542e5717b0923c0b53216bee22fea7a99e98a517ecd56fd04c694a3760d999f780018f5bc33a17d3d5d787f5aa1cb6cae07fd2675c37a40b2f15bc4ec760e0422f7c3b6459299c07bbbe54dc510ea76d3d500f10d247c6f853bf45', NULL, '{}', NULL, 1780000000000, 1780000000000, 1);
INSERT INTO public.vault_records VALUES ('vlt_019e704488007ea2965379dd1ac0ffb5', 'other', 'o-1', 'card', '', '5f0d767352eac1edc7b0421858f9c800', 1, '57710fda57a5b6e715a476e611d6acf727fd1bf5edb9260bc929a23c2470128d', '\x504d5601000100005f0d767352eac1edc7b0421858f9c800665539e403ec15740bc41b10f6d1bbe5d59740ba9767efc85e42b1c0906e61f9a5fd1f7a11711bc1a64be2ccc2a6bcbeec610e6c57b3d11dad17bfacebfa91836368031e93cedcb86f6b5ec402b26a2553ab354993ecf0f486d3b5a9d178677f42f0c0936a9244344401e4744dfa3de04bdcd7c4d31f6acced7434f4cfaea9ebaa55f9b132710a13cff5ba7118aab18c4a99ae32a0cf97b95028e343', '••••1111', '{"note":"it''s \"quoted\" \\ %_"}', NULL, 1780000000000, 1780000000000, 1);
INSERT INTO public.vault_records VALUES ('vlt_019e704488007d03afa42b3eb8152133', 'other', 'o-1', 'account', '', '5f0d767352eac1edc7b0421858f9c800', 1, 'd41b357d89ce9b7e84f4d8de818154333bd6ec782a4cdbe1b388ef441aaca23c', '\x504d5601000100005f0d767352eac1edc7b0421858f9c800b9a351f6028174a23114103244754df9ad46194bf70d9a0e805a85a6f434a8d4c2594576f39b88507fe1f760df2f04f09fecb6d3685311343321d857309372b18ee573d18d24893729b6508d7bc53ac9846593d927a6009f591a85cc4999d0d0f3ebc9c897b1eeb29f51ce1b938152eb5975868500af48e65f59422ec50a735077fa5bd8268d37fda9eb831d63ee3aa8a1695323d1228c9632dd52d661c497b6fffc00f3f82e9bf39ce3cf6fc33b1d14cf26c2dff0e0b0587cbc6d8e4642d293ab893c33063f7fd219eede4965c5bb553a17bcebb61e2b34bcb22948', NULL, '{}', 1811536000000, 1780000000000, 1780000000000, 1);
INSERT INTO public.vault_records VALUES ('vlt_019e70448800746a885a4390a8bbde36', 'other', 'o-1', 'file', '', '5f0d767352eac1edc7b0421858f9c800', 1, 'vlt_019e70448800746a885a4390a8bbde36', '\x504d5601000100005f0d767352eac1edc7b0421858f9c800aeff91937230b441897bf3162c5fc009cc3d9af281a8d2c3cea0ef4bb813bdb4ddfb67d5713528e4c9e49378271674752c5b0948e647dd64bed47e573b4c1627ace4b66cfbcca34d80d7652c1f42e3243f0682044ebc97b87d70ba9e97dc6ae89da1b77e2ff914115abc33cb559c97239767d00f29b5dff4beecdd9c018de7e023d9ac2432ac7e2a05187577579ccc0d2107c1c62e98d5e9cfbaa79de2253a4736248427a69a4ab9bf512ddb99810ae855eccfca6b222f8c87424809f5d2d35786b3f9acccb0df1da3c21abd37a47e503b12856bc002aa47942e1c022704007a86e752c05ec777a784dc4e739316e31df9f552efcea46596845b69baf1fe14824c61d3b5179c075902c2fd141d3ae5fcd2c35251039cd742856451ebb805dd9e9e7ffbd3ab3c08230f79412c09c144a682f526fba6b97d7fa88c3db1443591ada15b290a7c9b9da3d8cdd762a6f928a1af778263c81dc23f07a9636ab2568a8873e574bafd45810dfa12526753c469dd3226abd830493fe72a5d3dfac3b8468fa45321b3f6e6a3ca02de150222244d1ac5b8e76f28011df6f2a157dd', NULL, '{}', NULL, 1780000000000, 1780000000000, 1);
INSERT INTO public.vault_records VALUES ('vlt_019e7044880079b6aaa2f4c42093e3d0', 'other', 'o-2', 'card', '', 'acfa915e684b57f7830b59d8d5816bfd', 1, '57710fda57a5b6e715a476e611d6acf727fd1bf5edb9260bc929a23c2470128d', '\x504d560100010000acfa915e684b57f7830b59d8d5816bfd2418ca71de99614e2529a71c618e756dd93f51cd761922e3690ac29cfb9f856fdc70e609c24ba924ac453eba444fc873e1a25a813bb863edd25db82aad7e57c0c6486b5829030de6fd93775c0df2b65abd4dd2754cae3936966eb947fa0e670ff881750d48473e41adbb519adc175743bc8604fd19894ed238d12b6204b405b3e193052584f47ecd4753086b7e405826a65469be5fa47034c9432289', '••••1111', '{"note":"it''s \"quoted\" \\ %_"}', NULL, 1780000000000, 1780000000000, 1);
INSERT INTO public.vault_records VALUES ('vlt_019e70448800771c9b24fe6d5c54f42c', 'other', 'o-2', 'account', '', 'acfa915e684b57f7830b59d8d5816bfd', 1, 'd41b357d89ce9b7e84f4d8de818154333bd6ec782a4cdbe1b388ef441aaca23c', '\x504d560100010000acfa915e684b57f7830b59d8d5816bfd818b781f81a5b9e786b692ac687a1a93dd66d8a220bcb49faed7af45170368c5b67aa3088fd9fdde15c83fbd9d279c8097a2243b49a8b0ef07b7f51749d24410a8214a4b79e4306a4d66bffcb45568788e739d64707af7c8c5feff3f86335b6f48ee9de456c1b50bf3e821ade19c6a408b4cd4bf5540ae9924a1187e3afbd34f415113242355999b1519bd548d8da0ec0976e1a444aa320fb4d6d484bb6758823f16c9baf3a50739f3d5eca480442d93b997245fcd47b71537baba6f24484f624666239a9aa5523af0bceffad5a22d9f43a0411de427246f988e56a2', NULL, '{}', 1811536000000, 1780000000000, 1780000000000, 1);
INSERT INTO public.vault_records VALUES ('vlt_019e704488007357843c32c85b0bac8a', 'other', 'o-2', 'file', '', 'acfa915e684b57f7830b59d8d5816bfd', 1, 'vlt_019e704488007357843c32c85b0bac8a', '\x504d560100010000acfa915e684b57f7830b59d8d5816bfd3177685df195bf808927f3140354bfdb084acb3aaf29a19123511a137eb3f3ea23b6f1ac392c1617950f3ac48f608a75b6c99cd7a5c1c6a65fc45e0346415d709253fe53585c3741fd9a84b597a44bbf0c5209eddef1295901cfa79ee6c3e71f41cea3ba7a5f05256991e8ac9b3b4d999ecf411b327f73b6ef9b107641f7041e9423c8c68e3762772673ed143a7c18c0f5c2830287de13c2f5ce97766e3415d559d404dacf151e3b76f1c2205132c7975c7390003ecce40da2e9327fd8bcd0c70ff09dd7b73a3285debccaf55396ca0c8525fe5732575fa6962897564c2d9a511cae2bb57bc7343e93adf5a10b42be921a3869eaf8479d81b55852bd04a79ee7be94eff01cd2fddd1d4b2c4aae65d04e232d5b335d525ad77acb1ee65f67643750a2e29592b3eefcf7f2b025bf6af55994f18a51ac062496d719efaa1f8790c3c9ae1e7d1ed867014b6b621328e890b3f8a3cad8147e7ea3fdd72aab2e2d71448b307d844ee3a02eb53e457834ad032ce7399af2f99d540803deec08877507b39ff2a6b5cfacd0c7e518da5407975c6638634ac5a92f565af65e14cf', NULL, '{}', NULL, 1780000000000, 1780000000000, 1);
INSERT INTO public.vault_records VALUES ('vlt_019e7044880078268af431660c15cc13', 'other', 'o-3', 'card', '', '808d73e796bacbef1ab0af4c1427332b', 2, '57710fda57a5b6e715a476e611d6acf727fd1bf5edb9260bc929a23c2470128d', '\x504d560100020000808d73e796bacbef1ab0af4c1427332bc095cb5e3d0b0c572fc7a5f3f4e9c8166d2c9b3dc71e7ddb481dd0eab581f92fd7fea910b2a32f3637f0d49089624c6606b74aca1dcdd514b69b693c6e9fe8f5114778588635a2f5c4b7b9a445e0912cb3190a6d8ff24c565da39c13096288bba42cfab5ffcab364720a0d85bbb23a5747f85b612e53706e9ea3fbff661fc3ca3444aabffc03ac6d0c6edc37bdb5c9c93323b67648f3e89a2ba8182eb4a4a0156e4d7a6402c2c333', '••••1111', '{"note":"it''s \"quoted\" \\ %_"}', NULL, 1780000000000, 1780000000000, 1);
INSERT INTO public.vault_records VALUES ('vlt_019e704488007ec68076460b8612768f', 'other', 'o-3', 'account', '', '808d73e796bacbef1ab0af4c1427332b', 2, 'd41b357d89ce9b7e84f4d8de818154333bd6ec782a4cdbe1b388ef441aaca23c', '\x504d560100020000808d73e796bacbef1ab0af4c1427332b08dc65e5678dac9c8cabc3f677702d6b6496d76156811a2e00fae493ea085993f63ebd15cd58654cd44f0bf09d9abf0088642fc9d3dc6ff40934e7cb34085a3810e3528fda8755387ce1041a1d9725b36aadc3fdf2318ee94611250e0a8444a57cb4752d1e354db93e35602c20b1b9132737199ceec0e77b66d74b890f2ca39d6f5eb0e436116dbe0fe2fbe18e14564bb42122cfd2e047392ef3c42f61f5f7203a83c3c1e6190b7793fb2dc0ee27dc37730f6fb375b749423f6acac2f930c17d7d042e42049842e2eec824fc3fe76aba7fa2b967d0a4d5727567dada0d082a4b1181d09b6bd9fd32', NULL, '{}', 1811536000000, 1780000000000, 1780000000000, 1);
INSERT INTO public.vault_records VALUES ('vlt_019e70448800745e80cf2c2d46fffa8e', 'other', 'o-3', 'file', '', '808d73e796bacbef1ab0af4c1427332b', 2, 'vlt_019e70448800745e80cf2c2d46fffa8e', '\x504d560100020000808d73e796bacbef1ab0af4c1427332baf1c35fb7fee96a10cd414b0b22db192389b70751bf5927a27b0f5a651db85c6b2f218e80c2dd50aafca4b0de98ca3a42275b6ef5a246fac6776f41dd269fa6a584f139326aad0f8b71c8d41597a8b0e1339ef2a91301eeac25af4ec8474e6f0ac6551c8805b95c497b5e827f6db5be400869e1a8ae31d6e3c3aa2fa19cbb31fb9fca9517fc47ba9720ee441b01de2320ecd19b5c8d40609a1ee3ff830cfcd19e81cf946947c37d136a5f1054483ef0cebd2ea83be6793af17256e29a2d9e5c912b784926638015d304ce8e4397a8ffff8bfa80d0fec7875c74c4ebba9fb99008bdebda6e492dc8e76f237ef503939ed05c846e2eafbad7f5831bccc10aa46be92a6ce1962bf85535ade4064745727a60896da6f4d75719ba21b3ee777ea94e58db0dd07c0bebf3ba2bd65893c310ee2f852a7590f77b44ecc59acdf1c1be324e22d50bf40e8bbb4665940d06873a5c6ae76b4ac65dbb4a7ef16e3cce5e69fb9f846f36c3b55f403ab517da2af5a05650fefe3cafadb8cd60b5c16292c7d85a5fba9c5f346a57106914cdd4a9c5b776514b058bc0764e391fdff1bf09badd15a03c7e963dbc50a4a', NULL, '{}', NULL, 1780000000000, 1780000000000, 1);
INSERT INTO public.vault_records VALUES ('vlt_019e70448800727cb1cc6ff5c64ee538', 'other', 'Straße 💳', 'card', '', '576d139c41afda3a0a712e93ce4cff98', 1, '57710fda57a5b6e715a476e611d6acf727fd1bf5edb9260bc929a23c2470128d', '\x504d560100010000576d139c41afda3a0a712e93ce4cff9829b459280201799c3837e938da918ae60b9b9b22a5ba1633ada005e4f121b3921a2666a73bddaf4b0bad6eb12a4a9ec50822cd8f4a1de536249b93e5fde87bcdd576dd2c2c9dd8014d27c22373ba8ac15b87ae6bfd2e647ba67b4617e59a48878eba2bcc63fa394de3511393baf26dd4edd7851714e0575b8ca0e2e0f413c7b650379bf10cda1309f41d27fa26eb1034d44026f3d8a8982057670e92', '••••1111', '{"note":"it''s \"quoted\" \\ %_"}', NULL, 1780000000000, 1780000000000, 1);
INSERT INTO public.vault_records VALUES ('vlt_019e704488007b88b61b41a16906d3c7', 'other', 'Straße 💳', 'account', '', '576d139c41afda3a0a712e93ce4cff98', 1, 'd41b357d89ce9b7e84f4d8de818154333bd6ec782a4cdbe1b388ef441aaca23c', '\x504d560100010000576d139c41afda3a0a712e93ce4cff985612ca02aa7599e0d5dc9ff0c27be56936ba45da15f2955af0845320216e7fb8e18aed0b016e370772424815303a358546e9282440161a407f4a8f813b2320b7668ffdb7920f37ff898fee591ecd6d4a893f7821cce068e09075d9f859ed67e4c0df6360d9865c7250c5092f9fc92088bd8ab15d21f655ce642d4f9f2389e6c8da51ade5398ee54d54bc4fded080bcc41986928bd4e2f5e7de2dc45c71b6a9a2cbe880d066ec3723b3eea3d84041ac2c16174e2544ec9bf92f270d59d62a9c52819814d2213fc1711d13c30b950ef65eb56746c98c028580b13357af', NULL, '{}', 1811536000000, 1780000000000, 1780000000000, 1);
INSERT INTO public.vault_records VALUES ('vlt_019e70448800728dba97b860ef7b02bd', 'other', 'Straße 💳', 'file', '', '576d139c41afda3a0a712e93ce4cff98', 1, 'vlt_019e70448800728dba97b860ef7b02bd', '\x504d560100010000576d139c41afda3a0a712e93ce4cff9850639ddbad2779e8794ed67d3efceef7508e260b6f846417f0f1e9840fbfb92f745b8d9d32d6d0b5338770783b2039874723f5afeef56a45785aef11e174ecca857b38333cd14e9180d52be7868ccaf479fdf08f329d42f42a08b75348c8ce0a61eef0bb5b6ce807ad8ef08e8875271ddc0009d15b8cd87897a813abff1a61efdfc898164e7da7239e7049f6799b0d72bc0368c022a9fb3ce2a0dc7cff0f1386db1fe9caa04367e4c10eeffe4bb4cbea60a217a6aaa77114815305efe8070f58b5ac667b91d201fede639423ef1d362afc0959c3baeedcfe29e3dbde8b087b2af86711b076d4a399c7f682f01394e7edc6b6bf0646cb618014c0212e880aa118bdd081e73e5e7f8f681663abf4c8d23c7f938574252011b28b95b94658e119e8b9447889f3fd3adf81014f9d1a56d0779bc99fefade383274f71fe224945669637ef3dc245d7ab4b384a502565b53f0f56014e57f16f429f52843d74debe116a2c6f2e2b25a8f160798f6faab9a18293792ccbb1dbd87bbdab1d7d3cb45bda837f85b2f75d18f03379a79915fae1f36535c3ebad9d49bc9811688ac7', NULL, '{}', NULL, 1780000000000, 1780000000000, 1);
INSERT INTO public.vault_records VALUES ('vlt_019e704488007b9bb6cc7440bbfd1131', 'default', 'o-1', 'card', '', '02cfd4d3848fabfe6e53ae54de77ae01', 1, '9bebe7a5317f7bb765b26b7c49612c4c129e5c7a4e74b8bd2b0d3408477d5939', '\x504d56010001000002cfd4d3848fabfe6e53ae54de77ae011dc1b2a120677fd8f8c53c0515f502d18de92b37369ba1f4c34bb82f72a0ea16c3e873636c20b9b608a1aae0e3f26c33a3d7cd41591ff232fdcda60409d77ee670adef26b9360836006b40f2354df1659a78b092664a57ec4ddbd6be57fad8b7ae801f038ed91e821dffbcb12b3cba23137908bcc796347da51e4a951e5a3eb1f338580156372f331dbf4972f27c28f0480a6c2bead4bf879a2a2165', NULL, '{"note":"it''s \"quoted\" \\ %_"}', NULL, 1780000000000, 1780000001000, 2);
INSERT INTO public.vault_records VALUES ('vlt_019e7044ab2876a6a7cf9dbc7a7bf3e4', 'default', 'cus_019e7044ab287d7c9b6e26bd4a68274d', 'billfold.customer_profile', 'cus_019e7044ab287d7c9b6e26bd4a68274d', 'e1b5ecf155a0cdfac22c8214557ed773', 1, 'vlt_019e7044ab2876a6a7cf9dbc7a7bf3e4', '\x504d560100010000e1b5ecf155a0cdfac22c8214557ed773550968a6c692a0f6e63772e2a7929b5f0062a54b03a0b28ee1b9140467745bd1539dcf46e7993d0aea8798a762eaad86789ba1edf06d70515fbdad1f38ad522c1609ec963dde82b8efdfdaf7ce038f58e5b9bef9eb5663dabd0df3ca8db20587829624393c0e0bf5cbb93b4615f4396ad2edcdb9e408622221a3e518f2927db33b2b93da6af5fffe3b39b28ce91975a44e2f0f2ca11e1fe0e29b7025', NULL, '{}', NULL, 1780000009000, 1780000009000, 1);
INSERT INTO public.vault_records VALUES ('vlt_019e7044ab28737f99d70c8c6354a53e', 'default', 'reference', 'billfold.webhook', 'whd_019e7044ab287524929bc3fe9c512dac', 'ccc6f7fe764b23ff13612a3157d93c7b', 1, 'vlt_019e7044ab28737f99d70c8c6354a53e', '\x504d560100010000ccc6f7fe764b23ff13612a3157d93c7be168aada7d11a7e2cdaa22b18d69e29b4a567aa38a9d909412eafe3e8e9927e38a142e664968e5483777fc13f25f49e546f5d97aef5b6beb95d7824c205706045deab4f176bbe5e58026dd504493b2b5b9b1fedb63db5886bb7350be48972e55ed799b5bb750ade4b5996bf55dc99a25ebd57d0e15f3053e99ea574bd3489a0a477c34898cf511072aaabc64b3f376ba3ae6f816755bced7f53a51d54e12c0bb0fc52ecd872c905e7318197e8958801ecf68c9570783fc8a3d5a826938d7e535ae1f70244740e098cd1e0b1bf16f088df3f785739a5135d02c1ebba222676a1cd8bcbfd965882941a7c20381d5373dd9e10b04dacf86ad18fe6f0e14d2dde2e0ff2e943165dfe9d03a96629f2ee7c4e85092018642718a44c8e4d0b4797f231717e67aa714ef6c2475652fee6c2d03c5ee08e115584ceeaf2a8159efcf83b18bfdddb7a18c744e301c0aa52416dee9d3cba66eee7186c386862824b4', NULL, '{}', 1782592009000, 1780000009000, 1780000009000, 1);
INSERT INTO public.vault_records VALUES ('vlt_019e7044ab287edf86245a3686c9443b', 'default', 'reference', 'billfold.webhook', 'whd_019e7044ab287466abe05e40170acd59', 'ccc6f7fe764b23ff13612a3157d93c7b', 1, 'vlt_019e7044ab287edf86245a3686c9443b', '\x504d560100010000ccc6f7fe764b23ff13612a3157d93c7b2a6fe9ab056bffc63bab9f6b7ac5368e0b43958b06030dbd4a8d128d5efdfaf627ea93b36a6bc2bf0386ef56c1e2b44b5a9c8ed240700e524d5b116cb714c5f93aa08fc2f0525b29ad68fb000834dc39221ed6c5d5125443a5a074cecffbb97c0bdbf8ad15fe539a446282e96e042f30538efa8f1de27886545c92062248979856f32f43f860ea09790460f59daf6edba20f1a7a8f38e1c3ce9388de11da9defa4e20f280a14bf93e3fbe67223f1faa0eff4719a56d0b08334abea31ab802190f82494b256c5c58427296ecccf64764c1224188286234a0a895cc1bb0f4ccd5feb1270078b2643a7a0e38c0b55efa1c3c63fd48d4e8938b8276c3a188bbf097d20a4cb6db0c209085c23d23247a6e579c8dfbf6d7945c07ad70acbc5ec4b04e56d76742a4f926b0337b8378110e12a76d60638a689ef6c4d3604070242e4131e5b75c6c1a2ff1343a2ccf8db54a6776ce1dc87942dd6ed466c07d762f6c9a00f32e7d05625495d811d1bf9a27bd051c21b277f9764238f6b9b32bd642215ab35e2ff0657f917fe1746bcfb2d5f5bcb26a79618f8a56db3b54dc31f8e', NULL, '{}', 1782592009000, 1780000009000, 1780000009000, 1);
INSERT INTO public.vault_records VALUES ('vlt_019e7044ab287ac894c43b6c5f466b2b', 'default', 'cus_019e7044ab287d7c9b6e26bd4a68274d', 'billfold.gateway_token', 'pm_019e7044ab28756e93e2bd03efe6c4cf', 'e1b5ecf155a0cdfac22c8214557ed773', 1, 'vlt_019e7044ab287ac894c43b6c5f466b2b', '\x504d560100010000e1b5ecf155a0cdfac22c8214557ed7736106f69addfc925d789354801d0af1c3644c724eb3c5ff413b1a86aa3b30baf881c27388f14a3139c968ac61ea5da9e728d705a9f210f3cd961b56e5d2e695625c72f06c55c13039a7f5ff6e7befff5aa0db86767044afb3a4b529248372fa63e8ba1cbb3c505003c64014eef4ed5623f8d517ed98866f8c815c3ed7a52155c8ff65ad35e82907b4054e9b0d01c14e0d9570d60c57fd9eef777aa6ab', NULL, '{}', NULL, 1780000009000, 1780000009000, 1);
INSERT INTO public.vault_records VALUES ('vlt_019e7044af107fbebad364c52da8def6', 'default', 'cus_019e7044af107d3b9c55921939174d41', 'billfold.customer_profile', 'cus_019e7044af107d3b9c55921939174d41', '8976f94356eafc80eee65008d2de4098', 1, 'vlt_019e7044af107fbebad364c52da8def6', '\x504d5601000100008976f94356eafc80eee65008d2de40987da5272ca2174fb4bade51d5959db0a9daf5645e1fd504bb4888730d47e6bfce647e498c897ad7aef550c9dc2c14bf61da31de726ae63136dda63e7c38905bf02e315e7e0e5f0b5517b7783890b7d38e6e6d79c554d8e2b98ba201a2d97a3c0bd55475e8868d8867c3615705d67eb50f74a57ea40891fbc4470d5197c042c385d1abb320c40f816a7bfddf8c3c8f8c05e9cd3e9f61559041614b5fc5', NULL, '{}', NULL, 1780000010000, 1780000010000, 1);
INSERT INTO public.vault_records VALUES ('vlt_019e7044af1079e5955f05df6da90559', 'default', 'cus_019e7044af107d3b9c55921939174d41', 'billfold.next_action', 'ses_019e7044af1079a581f9c4e41fe86fe9', '8976f94356eafc80eee65008d2de4098', 1, 'vlt_019e7044af1079e5955f05df6da90559', '\x504d5601000100008976f94356eafc80eee65008d2de409848e02d7b634f8572eeaf56a9bed72882de934c2ec7a139271db021c9f7c76e576ff35976251a65047ff1fc707f0b2cc527221a00d8ca8e1a5026dc5da673613ab39160e0ac872ad3d3cfa37a8c93fde544f57b5478f037d018fd8fc2bc0ed5aecc2f6bb236adaeb110325307ba56cde0566d37a51e0d5f9338c55a6a7267997ec7412ac40ca3095097a9f9a25dd2cc576f772e05a510cc4b9bbcd6f3', NULL, '{}', NULL, 1780000010000, 1780000010000, 1);
SELECT pg_catalog.setval('public.events_sequence_seq', 6, true);
ALTER TABLE ONLY public.__diesel_schema_migrations
    ADD CONSTRAINT __diesel_schema_migrations_pkey PRIMARY KEY (version);
ALTER TABLE ONLY public.api_keys
    ADD CONSTRAINT api_keys_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.audit_entries
    ADD CONSTRAINT audit_entries_pkey PRIMARY KEY (tenant, sequence);
ALTER TABLE ONLY public.customers
    ADD CONSTRAINT customers_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.customers
    ADD CONSTRAINT customers_tenant_id_key UNIQUE (tenant, id);
ALTER TABLE ONLY public.customers
    ADD CONSTRAINT customers_tenant_reference_key UNIQUE (tenant, reference);
ALTER TABLE ONLY public.deliveries
    ADD CONSTRAINT deliveries_gateway_delivery_key_key UNIQUE (gateway, delivery_key);
ALTER TABLE ONLY public.deliveries
    ADD CONSTRAINT deliveries_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.erasures
    ADD CONSTRAINT erasures_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.erasures
    ADD CONSTRAINT erasures_tenant_subject_key UNIQUE (tenant, subject);
ALTER TABLE ONLY public.events
    ADD CONSTRAINT events_id_key UNIQUE (id);
ALTER TABLE ONLY public.events
    ADD CONSTRAINT events_pkey PRIMARY KEY (sequence);
ALTER TABLE ONLY public.gateway_customers
    ADD CONSTRAINT gateway_customers_pkey PRIMARY KEY (tenant, gateway, customer_id);
ALTER TABLE ONLY public.payment_methods
    ADD CONSTRAINT payment_methods_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.removals
    ADD CONSTRAINT removals_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.sessions
    ADD CONSTRAINT sessions_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.sessions
    ADD CONSTRAINT sessions_tenant_gateway_provider_reference_key UNIQUE (tenant, gateway, provider_reference);
ALTER TABLE ONLY public.sessions
    ADD CONSTRAINT sessions_tenant_id_key UNIQUE (tenant, id);
ALTER TABLE ONLY public.vault_keys
    ADD CONSTRAINT vault_keys_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.vault_keys
    ADD CONSTRAINT vault_keys_tenant_id_key UNIQUE (tenant, id);
ALTER TABLE ONLY public.vault_records
    ADD CONSTRAINT vault_records_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.vault_records
    ADD CONSTRAINT vault_records_tenant_owner_kind_fingerprint_key UNIQUE (tenant, owner, kind, fingerprint);
CREATE INDEX api_keys_by_tenant ON public.api_keys USING btree (tenant, id);
CREATE INDEX deliveries_by_customer ON public.deliveries USING btree (tenant, customer_id) WHERE (customer_id IS NOT NULL);
CREATE INDEX deliveries_by_tenant ON public.deliveries USING btree (tenant, id);
CREATE INDEX deliveries_due ON public.deliveries USING btree (next_attempt_at) WHERE (next_attempt_at IS NOT NULL);
CREATE INDEX erasures_due ON public.erasures USING btree (next_attempt_at) WHERE (next_attempt_at IS NOT NULL);
CREATE INDEX events_by_object ON public.events USING btree (tenant, object_id);
CREATE INDEX events_by_tenant ON public.events USING btree (tenant, sequence);
CREATE INDEX payment_methods_by_customer ON public.payment_methods USING btree (tenant, customer_id, id);
CREATE INDEX payment_methods_by_token ON public.payment_methods USING btree (tenant, gateway, token_fingerprint);
CREATE INDEX payment_methods_due ON public.payment_methods USING btree (next_check_at) WHERE (next_check_at IS NOT NULL);
CREATE UNIQUE INDEX payment_methods_one_default ON public.payment_methods USING btree (tenant, customer_id) WHERE (is_default AND (status <> 'deleted'::text));
CREATE UNIQUE INDEX payment_methods_one_per_instrument ON public.payment_methods USING btree (tenant, gateway, customer_id, instrument_fingerprint, usage) WHERE (status <> 'deleted'::text);
CREATE UNIQUE INDEX payment_methods_one_per_token ON public.payment_methods USING btree (tenant, gateway, token_fingerprint) WHERE (status <> 'deleted'::text);
CREATE INDEX removals_due ON public.removals USING btree (next_attempt_at) WHERE (next_attempt_at IS NOT NULL);
CREATE INDEX sessions_by_customer ON public.sessions USING btree (tenant, customer_id, id);
CREATE INDEX sessions_due ON public.sessions USING btree (next_check_at) WHERE (next_check_at IS NOT NULL);
CREATE INDEX vault_keys_by_subject ON public.vault_keys USING btree (tenant, subject);
CREATE UNIQUE INDEX vault_keys_one_primary ON public.vault_keys USING btree (tenant, subject, purpose) WHERE (state = 'primary'::text);
CREATE INDEX vault_records_by_key ON public.vault_records USING btree (tenant, key_id);
CREATE INDEX vault_records_expiring ON public.vault_records USING btree (expires_at) WHERE (expires_at IS NOT NULL);
CREATE TRIGGER audit_entries_stay BEFORE DELETE OR UPDATE OR TRUNCATE ON public.audit_entries FOR EACH STATEMENT EXECUTE FUNCTION public.refuse_audit_changes();
ALTER TABLE ONLY public.gateway_customers
    ADD CONSTRAINT gateway_customers_tenant_customer_id_fkey FOREIGN KEY (tenant, customer_id) REFERENCES public.customers(tenant, id);
ALTER TABLE ONLY public.payment_methods
    ADD CONSTRAINT payment_methods_tenant_customer_id_fkey FOREIGN KEY (tenant, customer_id) REFERENCES public.customers(tenant, id);
ALTER TABLE ONLY public.payment_methods
    ADD CONSTRAINT payment_methods_tenant_session_id_fkey FOREIGN KEY (tenant, session_id) REFERENCES public.sessions(tenant, id);
ALTER TABLE ONLY public.sessions
    ADD CONSTRAINT sessions_tenant_customer_id_fkey FOREIGN KEY (tenant, customer_id) REFERENCES public.customers(tenant, id);
ALTER TABLE ONLY public.vault_records
    ADD CONSTRAINT vault_records_tenant_key_id_fkey FOREIGN KEY (tenant, key_id) REFERENCES public.vault_keys(tenant, id);
