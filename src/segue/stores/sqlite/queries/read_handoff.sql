-- One version of a hand-off, followed from the latest backwards.
WITH RECURSIVE chain (id) AS (
    SELECT handoff FROM task WHERE run = ?1 AND node = ?2 AND item = ?3
    UNION
    SELECT handoff.previous FROM chain CROSS JOIN handoff ON handoff.id = chain.id WHERE handoff.previous IS NOT NULL
)
SELECT ?1, ?2, ?3, id, epoch, version, status, body, output_size, digest, schema, started_at, completed_at
FROM chain CROSS JOIN handoff USING (id)
WHERE version = ?4
