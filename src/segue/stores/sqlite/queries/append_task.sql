-- Bring a delegated task into being: ready, or paused with its run if the task that delegates is on hold with that, with
-- a hand-off of its own that holds its arguments. What is delegated under a share of a budget is under it too (8).
INSERT INTO task
    (run, node, item, agent, state, waiting, version, handoff, due, broken, ready_at, pins,
     queue_seconds, queue_by, deadline, pools, hold)
SELECT ?1, ?2, -1, ?3, iif(hold & 2, 'paused', 'ready'), 0, ?4, ?5, iif(hold & 2, NULL, ?6), 0, ?7, ?8,
       ?9, iif(hold & 2, NULL, ?10), ?11, ?12, hold & 10
FROM task
WHERE run = ?1 AND node = ?13 AND item = ?14
RETURNING state
