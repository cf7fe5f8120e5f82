-- Whether any task at all is ready, so that a claim with nothing to find costs one look.
SELECT EXISTS (SELECT 1 FROM task WHERE state = 'ready')
