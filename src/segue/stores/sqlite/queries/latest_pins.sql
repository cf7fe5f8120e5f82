-- The latest hand-offs of a node, by item.
SELECT task.node, task.item, handoff.version, handoff.digest, handoff.status
FROM task JOIN handoff ON handoff.id = task.handoff
WHERE task.run = ? AND task.node = ?
ORDER BY task.item
