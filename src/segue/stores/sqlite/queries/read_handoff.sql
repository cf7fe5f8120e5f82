-- One version of a hand-off.
SELECT run, node, item, epoch, version, status, body, output_size, digest, schema, started_at, completed_at
FROM handoff
WHERE run = ? AND node = ? AND item = ? AND version = ?
