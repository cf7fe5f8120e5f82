-- Pause what is ready of a run and on hold from now on.
UPDATE task
SET state = 'paused', due = NULL, queue_by = NULL
WHERE run = ?1 AND state = 'ready' AND hold & 3
RETURNING node, item, agent, epoch
