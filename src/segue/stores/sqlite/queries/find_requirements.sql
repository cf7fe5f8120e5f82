-- What tasks that are ready require of a worker.
SELECT DISTINCT requires FROM task WHERE state = 'ready' AND requires IS NOT NULL
