-- The webhook that came before under the same event id and told something else.
ALTER TABLE deliveries ADD COLUMN conflicts_with TEXT;
