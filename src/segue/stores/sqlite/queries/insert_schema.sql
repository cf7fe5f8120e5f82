-- Keep a schema, once.
INSERT INTO schema (fingerprint, body) VALUES (?, ?) ON CONFLICT DO NOTHING
