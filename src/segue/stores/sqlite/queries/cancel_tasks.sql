-- Cancel the open tasks of a run and revoke their claims.
UPDATE task
SET state = 'cancelled', claim = NULL, lease = NULL, due = NULL, settled_at = ?2
WHERE run = ?1 AND state IN ('waiting', 'ready', 'claimed', 'needs_review', 'in_doubt', 'paused')
RETURNING node, item, agent, epoch, hold
