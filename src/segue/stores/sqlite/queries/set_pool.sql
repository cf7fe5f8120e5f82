-- Say how many places a pool has.
INSERT INTO pool (name, capacity) VALUES (?, ?) ON CONFLICT DO UPDATE SET capacity = excluded.capacity
