-- Write a hand-off of a task; there is no statement that changes one.
INSERT INTO handoff
    (id, previous, version, epoch, claim, status, digest, schema, started_at, completed_at, output_size, body)
VALUES (
    ?1, iif(?5 > 1, (SELECT handoff FROM task WHERE run = ?2 AND node = ?3 AND item = ?4), NULL),
    ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14
)
