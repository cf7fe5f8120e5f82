-- The tasks of some agents that are to be run and need pools, of each kind in each run the oldest, and of those that not
-- every worker can read the ones that require what is listed.
SELECT due, run, node, item, agent, pools, is_suspect
FROM (
    SELECT due, run, node, item, agent, pools, losses + (claim IS NOT NULL) >= 2 AS is_suspect,
           row_number() OVER (PARTITION BY run, agent, pools ORDER BY due, node, item) AS place
    FROM task
    WHERE state = 'ready' AND pools IS NOT NULL AND agent IN (SELECT value FROM json_each(?1)) AND due <= ?2
      AND broken = 0 AND (queue_by <= ?2) IS NOT TRUE AND (deadline <= ?3) IS NOT TRUE
      AND (requires IS NULL OR requires IN (SELECT value FROM json_each(?5)))
)
WHERE place <= ?4
