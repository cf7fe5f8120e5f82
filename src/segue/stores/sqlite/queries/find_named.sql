-- A task, if it can be worked on now.
SELECT due, run, node, item, agent, pools
FROM task
WHERE run = ?1 AND node = ?2 AND item = ?3 AND state = 'ready' AND due <= ?4 AND broken = 0
  AND (queue_by <= ?4) IS NOT TRUE AND (deadline <= ?5) IS NOT TRUE
