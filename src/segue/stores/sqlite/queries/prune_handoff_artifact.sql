-- Delete what says which artifacts a pruned run points to.
WITH RECURSIVE chain (id) AS (
    SELECT handoff FROM task WHERE run = ? AND handoff IS NOT NULL
    UNION
    SELECT handoff.previous FROM chain CROSS JOIN handoff ON handoff.id = chain.id WHERE handoff.previous IS NOT NULL
)
DELETE FROM handoff_artifact WHERE handoff IN (SELECT id FROM chain)
