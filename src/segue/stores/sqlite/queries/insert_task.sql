-- Bring a task into being that waits for nothing more: ready, or claimed at once.
INSERT INTO task
    (run, node, item, agent, state, waiting, epoch, attempt, claim, worker, lease, due, broken, ready_at, claimed_at,
     pins, queue_seconds, queue_by, deadline, pools)
VALUES (?1, ?2, ?3, ?4, ?5, 0, ?6, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18)
