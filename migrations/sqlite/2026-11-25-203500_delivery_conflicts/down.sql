ALTER TABLE deliveries DROP COLUMN conflicts_with;
