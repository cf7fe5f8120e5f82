-- Write a hand-off of a task, under the next number; there is no statement that changes one.
INSERT INTO handoff
    (previous, version, epoch, claim, status, digest, schema, started_at, completed_at, output_size, body)
VALUES (
    iif(?4 > 1, (SELECT handoff FROM task WHERE run = ?1 AND node = ?2 AND item = ?3), NULL),
    ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13
)
