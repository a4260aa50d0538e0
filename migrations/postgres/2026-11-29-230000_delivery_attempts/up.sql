-- The newest attempts of a delivery, as JSON: when, what came of it, and how long it took.
ALTER TABLE endpoint_deliveries ADD COLUMN history TEXT NOT NULL DEFAULT '[]';
