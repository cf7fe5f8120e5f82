-- Let a task be on hold by itself no more, a mapped one with all its items, unless another pause is about them.
UPDATE task
SET hold = hold & ~1
WHERE run = ?1 AND node = ?2 AND ?3 IN (-1, item) AND hold & 1
  AND NOT EXISTS (
    SELECT 1 FROM pause WHERE pause.run = ?1 AND pause.node = ?2 AND pause.item IN (-1, task.item)
  )
RETURNING node, item, agent, epoch, state
