-- Note what a node of a run needs of a pool.
INSERT INTO pool_need (run, node, pool, places) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING
