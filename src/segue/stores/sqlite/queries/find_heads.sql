-- Of each of some runs the oldest task of one kind that is to be run.
SELECT head.due, head.run, head.node, head.item
FROM json_each(?7) AS line CROSS JOIN task AS head ON (head.run, head.node, head.item) = (
    SELECT run, node, item FROM task INDEXED BY task_pooled
    WHERE state = 'ready' AND pools IS NOT NULL AND agent = ?1 AND pools = ?2 AND ifnull(requires, '') = ?3
      AND (losses + (claim IS NOT NULL) >= 2) = ?4
      AND run = line.value AND due <= ?5 AND broken = 0 AND (queue_by <= ?5) IS NOT TRUE AND (deadline <= ?6) IS NOT TRUE
    ORDER BY due, node, item LIMIT 1
)
