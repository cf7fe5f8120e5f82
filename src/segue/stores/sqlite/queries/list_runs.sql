-- Runs, newest first.
SELECT run, key, workflow, state, graph_digest, input, options, submitted_at, ended_at, hold, grown
FROM run
WHERE run < ?
ORDER BY run DESC
LIMIT ?
