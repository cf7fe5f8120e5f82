-- The tasks of one kind in one run that are to be run, oldest first, behind one of them.
SELECT due, run, node, item
FROM task INDEXED BY task_pooled
WHERE state = 'ready' AND pools IS NOT NULL AND agent = ?1 AND pools = ?2 AND ifnull(requires, '') = ?3
  AND (losses + (claim IS NOT NULL) >= 2) = ?4
  AND run = ?7 AND (due, node, item) > (?8, ?9, ?10) AND due <= ?5 AND broken = 0 AND (queue_by <= ?5) IS NOT TRUE AND (deadline <= ?6) IS NOT TRUE
ORDER BY due, node, item
LIMIT ?11
