-- The tasks of one agent that are to be run and whose time has come, oldest first, without suspects,
-- those that need pools, and those that not every worker can read.
SELECT due, run, node, item
FROM task
WHERE state = 'ready' AND (pools IS NOT NULL) = 0 AND agent = ?1 AND due <= ?2 AND broken = 0 AND requires IS NULL
  AND (queue_by <= ?2) IS NOT TRUE AND (deadline <= ?3) IS NOT TRUE
  AND losses + (claim IS NOT NULL) < 2
ORDER BY due, run, node, item
LIMIT ?4
