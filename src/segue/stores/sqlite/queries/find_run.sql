-- A run by its key.
SELECT run, key, workflow, state, graph_digest, input, options, submitted_at, ended_at, hold, grown FROM run WHERE key = ?
