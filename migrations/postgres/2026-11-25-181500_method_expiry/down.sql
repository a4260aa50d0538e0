ALTER TABLE payment_methods DROP COLUMN expiring_since;
