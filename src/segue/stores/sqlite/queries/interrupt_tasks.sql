-- Revoke the claims of what runs of a run and is on hold, or of one task with its items.
UPDATE task
SET state = 'paused', claim = NULL, lease = NULL, ready_at = ?4
WHERE run = ?1 AND state = 'claimed' AND hold & 3 AND (?2 IS NULL OR node = ?2 AND ?3 IN (-1, item))
RETURNING node, item, agent, epoch
