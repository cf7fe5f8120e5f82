-- Take every claim away, for good: whoever holds one works for an earlier incarnation of this store.
UPDATE task
SET state = 'ready', claim = NULL, lease = NULL, due = ?1, ready_at = ?2, queue_by = ?1 + queue_seconds
WHERE state = 'claimed'
RETURNING run, node, item, epoch, agent, worker
