DROP TABLE endpoint_deliveries;
DROP TABLE webhook_endpoints;
