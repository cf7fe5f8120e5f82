-- Whether any task or consumer is claimed, or a task was paused that has a deadline, so that a sweep with nothing to find
-- writes nothing.
SELECT EXISTS (SELECT 1 FROM task WHERE state = 'claimed')
    OR EXISTS (SELECT 1 FROM task WHERE state = 'paused' AND deadline IS NOT NULL)
    OR EXISTS (SELECT 1 FROM consumer WHERE claim IS NOT NULL)
