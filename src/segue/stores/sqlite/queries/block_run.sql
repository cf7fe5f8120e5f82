-- Say that only a person can move a run, if that is so.
UPDATE run
SET state = 'needs_review'
WHERE run = ?1 AND state = 'running'
  AND (
    EXISTS (SELECT 1 FROM task WHERE task.run = ?1 AND task.state = 'needs_review')
    OR EXISTS (SELECT 1 FROM task WHERE task.run = ?1 AND task.state = 'in_doubt')
  )
  AND NOT EXISTS (SELECT 1 FROM task WHERE task.run = ?1 AND task.state IN ('ready', 'claimed', 'paused'))
RETURNING state
