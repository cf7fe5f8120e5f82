-- The tasks of one agent that require the same of a worker, whose time has come, oldest first, and whether each is a
-- suspect; without those that need pools.
SELECT due, run, node, item, losses + (claim IS NOT NULL) >= 2
FROM task
WHERE state = 'ready' AND requires = ?2 AND pools IS NULL AND agent = ?1 AND due <= ?3 AND broken = 0
  AND (queue_by <= ?3) IS NOT TRUE AND (deadline <= ?4) IS NOT TRUE
ORDER BY due, run, node, item
LIMIT ?5
