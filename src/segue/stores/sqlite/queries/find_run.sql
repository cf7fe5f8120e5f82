-- A run by its key.
SELECT run, key, workflow, state, graph_digest, input, options, submitted_at, ended_at FROM run WHERE key = ?
