-- Bring a task nearer to its start, and into being if this is its first release; one that has started is left alone. It is
-- paused where it would be ready and is on hold.
INSERT INTO task
    (run, node, item, agent, state, waiting, due, ready_at, broken, parents, pins, queue_seconds, queue_by, deadline,
     pools, hold)
VALUES (
    ?1, ?2, ?3, ?4, CASE WHEN ?5 > 0 THEN 'waiting' WHEN ?16 & 3 THEN 'paused' ELSE 'ready' END, max(?5, 0),
    iif(?5 > 0 OR ?16 & 3, NULL, ?6), iif(?5 > 0, NULL, ?7), ?8, ?9, ?10, ?12, iif(?5 > 0 OR ?16 & 3, NULL, ?13),
    iif(?5 > 0, NULL, ?14), ?15, ?16
)
ON CONFLICT (run, node, item) DO UPDATE
SET waiting = max(waiting - ?11, 0), broken = max(broken, excluded.broken),
    state = CASE WHEN waiting > ?11 THEN 'waiting' WHEN hold & 3 THEN 'paused' ELSE 'ready' END,
    due = iif(waiting > ?11 OR hold & 3, NULL, ?6), ready_at = iif(waiting > ?11, NULL, ?7), queue_seconds = ?12,
    queue_by = iif(waiting > ?11 OR hold & 3, NULL, ?13), deadline = iif(waiting > ?11, NULL, ?14),
    parents = excluded.parents, pins = excluded.pins, pools = excluded.pools
WHERE state = 'waiting'
RETURNING run, node, item, state, epoch
