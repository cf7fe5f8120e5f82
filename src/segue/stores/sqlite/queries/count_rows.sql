-- How much the store holds; prunings are no events.
SELECT
    (SELECT count(*) FROM run),
    (SELECT count(*) FROM task),
    (SELECT count(*) FROM handoff),
    (SELECT count(*) FROM event WHERE run <> '')
