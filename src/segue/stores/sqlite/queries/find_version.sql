-- Digest and status of one version of a hand-off.
WITH RECURSIVE chain (id) AS (
    SELECT handoff FROM task WHERE run = ?1 AND node = ?2 AND item = ?3
    UNION
    SELECT handoff.previous FROM chain CROSS JOIN handoff ON handoff.id = chain.id WHERE handoff.previous IS NOT NULL
)
SELECT handoff.digest, handoff.status FROM chain CROSS JOIN handoff ON handoff.id = chain.id WHERE handoff.version = ?4
