-- What there is to claim: anything at all, what is only to be settled, what needs pools.
SELECT
    EXISTS (SELECT 1 FROM task WHERE state = 'ready' AND (pools IS NOT NULL) = 0),
    EXISTS (SELECT 1 FROM task WHERE state = 'ready' AND broken = 1 AND due <= ?1)
        OR EXISTS (SELECT 1 FROM task WHERE state = 'ready' AND queue_by <= ?1)
        OR EXISTS (SELECT 1 FROM task WHERE state IN ('ready', 'paused', 'claimed') AND (state = 'claimed') = 0 AND deadline <= ?2),
    EXISTS (SELECT 1 FROM task WHERE state = 'ready' AND (pools IS NOT NULL) = 1)
