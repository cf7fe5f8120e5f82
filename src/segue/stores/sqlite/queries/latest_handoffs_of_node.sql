-- The latest version of each hand-off of one node of a run.
SELECT run, node, item, id, handoff.epoch, handoff.version, status, body, output_size, digest, schema, started_at,
       completed_at
FROM task JOIN handoff ON handoff.id = task.handoff
WHERE run = ? AND node = ?
ORDER BY item
