-- Some of the runs that ended before a time, without those that a consumer has not passed yet.
SELECT run
FROM run
WHERE ended_at < ?1
  AND NOT EXISTS (
    SELECT 1 FROM consumer WHERE position < (SELECT max(event.position) FROM event WHERE event.run = run.run)
  )
LIMIT ?2
