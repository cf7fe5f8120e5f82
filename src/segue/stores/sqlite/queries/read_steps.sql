-- All that a task remembers, by name.
SELECT name, kind, state, key, body, epoch, at, artifacts
FROM step
WHERE run = ? AND node = ? AND item = ?
ORDER BY name
