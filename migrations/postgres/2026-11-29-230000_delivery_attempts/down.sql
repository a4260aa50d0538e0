ALTER TABLE endpoint_deliveries DROP COLUMN history;
