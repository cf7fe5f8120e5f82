-- Write down what a task has reserved, or what was spent in its place.
INSERT INTO reservation (run, node, item, name, epoch, child, parts, spent) VALUES (?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (run, node, item, name) DO UPDATE SET spent = excluded.spent
