-- The claims that hold places in pools or, parked, have held some: those that are only to be settled hold none.
SELECT run, node, item, pools, parked, claimed_at
FROM task INDEXED BY task_pooled
WHERE state = 'claimed' AND pools IS NOT NULL AND broken = 0 AND queue_by IS NULL
  AND (deadline <= claimed_at) IS NOT TRUE
