-- Make a worker known.
INSERT INTO worker (worker, about) VALUES (?, ?) ON CONFLICT DO UPDATE SET about = excluded.about
