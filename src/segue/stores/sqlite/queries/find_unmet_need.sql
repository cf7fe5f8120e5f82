-- A task that has not settled and needs more places of a pool than so many.
SELECT pool_need.run, pool_need.node, pool_need.places
FROM pool_need CROSS JOIN run USING (run)
WHERE pool = ?1 AND places > ?2 AND run.state IN ('running', 'needs_review')
  AND (
    NOT EXISTS (SELECT 1 FROM task WHERE task.run = pool_need.run AND task.node = pool_need.node)
    OR EXISTS (
        SELECT 1 FROM task
        WHERE task.run = pool_need.run AND task.node = pool_need.node
          AND task.state NOT IN ('complete', 'failed', 'dead', 'skipped', 'cancelled', 'expanded')
    )
  )
LIMIT 1
