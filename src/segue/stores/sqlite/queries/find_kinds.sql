-- Which kinds of tasks that need pools there are among the ready ones of some agents: one step in the index for each.
WITH RECURSIVE
    pooled (agent, pools) AS (
        SELECT value, (
            SELECT pools FROM task INDEXED BY task_pooled
            WHERE state = 'ready' AND pools IS NOT NULL AND agent = value
            ORDER BY pools LIMIT 1
        )
        FROM json_each(?1)
        UNION ALL
        SELECT agent, (
            SELECT pools FROM task INDEXED BY task_pooled
            WHERE state = 'ready' AND pools IS NOT NULL AND agent = pooled.agent AND pools > pooled.pools
            ORDER BY pools LIMIT 1
        )
        FROM pooled
        WHERE pools IS NOT NULL
    ),
    required (agent, pools, requires) AS (
        SELECT agent, pools, '' FROM pooled WHERE pools IS NOT NULL
        UNION ALL
        SELECT agent, pools, (
            SELECT ifnull(requires, '') FROM task INDEXED BY task_pooled
            WHERE state = 'ready' AND pools IS NOT NULL AND agent = required.agent AND pools = required.pools
              AND ifnull(requires, '') > required.requires
            ORDER BY ifnull(requires, '') LIMIT 1
        )
        FROM required
        WHERE requires IS NOT NULL
    ),
    suspicion (is_suspect) AS (VALUES (0), (1))
SELECT agent, pools, requires, is_suspect
FROM required CROSS JOIN suspicion
WHERE requires IS NOT NULL AND EXISTS (
    SELECT 1 FROM task INDEXED BY task_pooled
    WHERE state = 'ready' AND pools IS NOT NULL AND agent = required.agent AND pools = required.pools
      AND ifnull(requires, '') = required.requires AND (losses + (claim IS NOT NULL) >= 2) = is_suspect
)
