-- Note what a node of a run needs of a pool at most.
INSERT INTO pool_need (run, node, pool, places) VALUES (?, ?, ?, ?)
ON CONFLICT DO UPDATE SET places = max(places, excluded.places)
