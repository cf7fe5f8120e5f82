-- Whether any task is claimed, so that a sweep with nothing to find writes nothing.
SELECT EXISTS (SELECT 1 FROM task WHERE state = 'claimed')
