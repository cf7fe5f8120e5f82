-- Bring a task nearer to its quorum, or to where it cannot reach it any more, and into being if this is its first
-- release; one that has started is left alone. It is paused where it would be ready and is on hold.
INSERT INTO task
    (run, node, item, agent, state, waiting, due, ready_at, broken, parents, pins, queue_seconds, queue_by, deadline,
     pools, spare, hold)
VALUES (
    ?1, ?2, ?3, ?4, CASE WHEN NOT ?8 THEN 'waiting' WHEN ?18 & 3 THEN 'paused' ELSE 'ready' END, max(?5, 0),
    iif(?8 AND NOT ?18 & 3, ?6, NULL), iif(?8, ?7, NULL), ?16 < 0, ?9, ?10, ?12, iif(?8 AND NOT ?18 & 3, ?13, NULL),
    iif(?8, ?14, NULL), ?15, ?16, ?18
)
ON CONFLICT (run, node, item) DO UPDATE
SET waiting = max(waiting - ?11, 0), spare = spare - ?17, broken = spare - ?17 < 0,
    state = CASE
        WHEN waiting > ?11 AND spare - ?17 >= 0 THEN 'waiting'
        WHEN hold & 3 THEN 'paused'
        ELSE 'ready'
    END,
    due = iif(waiting > ?11 AND spare - ?17 >= 0 OR hold & 3, NULL, ?6),
    ready_at = iif(waiting > ?11 AND spare - ?17 >= 0, NULL, ?7), queue_seconds = ?12,
    queue_by = iif(waiting > ?11 AND spare - ?17 >= 0 OR hold & 3, NULL, ?13),
    deadline = iif(waiting > ?11 AND spare - ?17 >= 0, NULL, ?14), parents = excluded.parents, pins = excluded.pins,
    pools = excluded.pools
WHERE state = 'waiting'
RETURNING run, node, item, state, epoch
