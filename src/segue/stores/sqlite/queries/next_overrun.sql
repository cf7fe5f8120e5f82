-- When a budget of a task runs out next: to be claimed, to be ended while it lies, to be ended while it is claimed.
SELECT
    (SELECT min(queue_by) FROM task WHERE state = 'ready' AND queue_by > ?1),
    (SELECT min(deadline) FROM task WHERE state IN ('ready', 'paused', 'claimed') AND (state = 'claimed') = 0 AND deadline > ?2),
    (
        SELECT min(deadline) FROM task
        WHERE state IN ('ready', 'paused', 'claimed') AND (state = 'claimed') = 1 AND deadline IS NOT NULL AND claimed_at < deadline
    )
