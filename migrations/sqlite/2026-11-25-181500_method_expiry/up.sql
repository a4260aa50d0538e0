-- Since when a method is known to end soon; its merchant was told then.
ALTER TABLE payment_methods ADD COLUMN expiring_since BIGINT;
