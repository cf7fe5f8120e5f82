-- Let go on what was paused of a run and is on hold no more.
UPDATE task
SET state = 'ready', due = ?2, ready_at = ?3, queue_by = ?2 + queue_seconds
WHERE run = ?1 AND state = 'paused' AND NOT hold & 3
RETURNING node, item, agent, epoch
