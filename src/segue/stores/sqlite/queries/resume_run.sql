-- Say that a run moves again after a person decided, if that is so.
UPDATE run
SET state = 'running'
WHERE run = ?1 AND state = 'needs_review'
  AND NOT (
    (
        EXISTS (SELECT 1 FROM task WHERE task.run = ?1 AND task.state = 'needs_review')
        OR EXISTS (SELECT 1 FROM task WHERE task.run = ?1 AND task.state = 'in_doubt')
    )
    AND NOT EXISTS (SELECT 1 FROM task WHERE task.run = ?1 AND task.state IN ('ready', 'claimed', 'paused'))
  )
RETURNING state
