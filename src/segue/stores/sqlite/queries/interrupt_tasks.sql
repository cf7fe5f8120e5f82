-- Revoke the claims of what runs of a run and is on hold with it, or of one task with its items.
UPDATE task
SET state = 'paused', claim = NULL, lease = NULL, ready_at = ?4
WHERE run = ?1 AND state = 'claimed' AND iif(?2 IS NULL, hold & 2, hold & 1 AND node = ?2 AND ?3 IN (-1, item))
RETURNING node, item, agent, epoch
