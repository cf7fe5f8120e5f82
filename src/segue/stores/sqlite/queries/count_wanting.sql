-- What ready tasks wait for, and how many.
SELECT pools, count(*) FROM task WHERE state = 'ready' AND pools IS NOT NULL AND broken = 0 GROUP BY pools
