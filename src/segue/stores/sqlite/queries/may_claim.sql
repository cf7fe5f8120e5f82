-- Whether there is anything for a claim: ready tasks of its agents, some that any worker may have, or its own from
-- before; and whether anything waits for pools.
SELECT EXISTS (
        SELECT 1 FROM task
        WHERE state = 'ready' AND (pools IS NOT NULL) = 0 AND agent IN (SELECT value FROM json_each(?3)) AND due <= ?1
    )
    OR EXISTS (SELECT 1 FROM task WHERE state = 'ready' AND broken = 1 AND due <= ?1)
    OR EXISTS (SELECT 1 FROM task WHERE state = 'ready' AND queue_by <= ?1)
    OR EXISTS (SELECT 1 FROM task WHERE state IN ('ready', 'paused', 'claimed') AND (state = 'claimed') = 0 AND deadline <= ?2)
    OR EXISTS (SELECT 1 FROM task WHERE state = 'claimed' AND claim > ?4 AND claim < ?5),
    EXISTS (SELECT 1 FROM task WHERE state = 'ready' AND (pools IS NOT NULL) = 1)
