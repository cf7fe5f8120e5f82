-- Take every claim away, for good: whoever holds one works for an earlier incarnation of this store.
UPDATE task
SET state = iif(hold & 3, 'paused', 'ready'), claim = NULL, lease = NULL, due = iif(hold & 3, NULL, ?1), ready_at = ?2,
    queue_by = iif(hold & 3, NULL, ?1 + queue_seconds)
WHERE state = 'claimed'
RETURNING run, node, item, epoch, agent, worker
