-- The tasks of one agent whose time has come, oldest first.
SELECT due, run, node, item
FROM task
WHERE state = 'ready' AND agent = ? AND due <= ? AND broken = 0
ORDER BY due, run, node, item
LIMIT ?
