-- Bring a delegated task into being: ready, or paused with its run, with a hand-off of its own that holds its arguments.
INSERT INTO task
    (run, node, item, agent, state, waiting, version, handoff, due, broken, ready_at, pins,
     queue_seconds, queue_by, deadline, pools, hold)
SELECT ?1, ?2, -1, ?3, iif(hold, 'paused', 'ready'), 0, ?4, ?5, iif(hold, NULL, ?6), 0, ?7, ?8,
       ?9, iif(hold, NULL, ?10), ?11, ?12, iif(hold, 2, 0)
FROM run
WHERE run = ?1
RETURNING state
