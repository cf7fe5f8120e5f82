-- The tasks of one kind that are to be run, in all runs but some, oldest first, behind one of them.
SELECT due, run, node, item
FROM task INDEXED BY task_ready
WHERE state = 'ready' AND (pools IS NOT NULL) = 1 AND agent = ?1 AND pools = ?2 AND ifnull(requires, '') = ?3
  AND (losses + (claim IS NOT NULL) >= 2) = ?4
  AND run NOT IN (SELECT value FROM json_each(?7) AS apart) AND (due, run, node, item) > (?8, ?9, ?10, ?11)
  AND due <= ?5 AND broken = 0 AND (queue_by <= ?5) IS NOT TRUE AND (deadline <= ?6) IS NOT TRUE
ORDER BY due, run, node, item
LIMIT ?12
