-- Whether any task or consumer is claimed, so that a sweep with nothing to find writes nothing.
SELECT EXISTS (SELECT 1 FROM task WHERE state = 'claimed')
    OR EXISTS (SELECT 1 FROM consumer WHERE claim IS NOT NULL)
