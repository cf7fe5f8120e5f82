-- What there is to claim: anything at all, what is only to be settled, what may have killed its workers, what needs pools.
SELECT
    EXISTS (SELECT 1 FROM task WHERE state = 'ready' AND pools IS NULL),
    EXISTS (SELECT 1 FROM task WHERE state = 'ready' AND broken = 1 AND due <= ?1)
        OR EXISTS (SELECT 1 FROM task WHERE state = 'ready' AND queue_by <= ?1)
        OR EXISTS (SELECT 1 FROM task WHERE state IN ('ready', 'paused') AND deadline <= ?2),
    EXISTS (SELECT 1 FROM task WHERE state = 'ready' AND losses + (claim IS NOT NULL) >= 2),
    EXISTS (SELECT 1 FROM task WHERE state = 'ready' AND pools IS NOT NULL)
