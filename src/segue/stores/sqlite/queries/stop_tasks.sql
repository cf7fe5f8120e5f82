-- Pause what is ready of a run and on hold, or of one task with its items: others may be ready although they are on hold,
-- because their time has passed.
UPDATE task
SET state = 'paused', due = NULL, queue_by = NULL
WHERE run = ?1 AND state = 'ready' AND hold & 3 AND (?2 IS NULL OR node = ?2 AND ?3 IN (-1, item))
RETURNING node, item, agent, epoch
