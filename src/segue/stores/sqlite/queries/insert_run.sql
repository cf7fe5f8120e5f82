-- Write a new run.
INSERT INTO run (run, key, workflow, state, waits_for, graph_digest, input, options, submitted_at)
VALUES (?, ?, ?, 'running', ?, ?, ?, ?, ?)
