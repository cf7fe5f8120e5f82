-- Keep a graph, once.
INSERT INTO graph (digest, body) VALUES (?, ?) ON CONFLICT DO NOTHING
