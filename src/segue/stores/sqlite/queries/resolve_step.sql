-- Write down what a person knows of an effect in doubt, if nobody can be working on its task.
UPDATE step
SET state = ?5, body = ?6, claim = NULL, at = ?7, artifacts = ?8
WHERE run = ?1 AND node = ?2 AND item = ?3 AND name = ?4 AND kind = 'effect' AND state = 'begun'
  AND EXISTS (
    SELECT 1 FROM task
    WHERE task.run = ?1 AND task.node = ?2 AND task.item = ?3 AND task.state NOT IN ('waiting', 'ready', 'claimed', 'paused')
  )
