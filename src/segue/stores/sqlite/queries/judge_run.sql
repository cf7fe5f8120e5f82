-- Say that only a person can move a run, or that it moves again, if that has changed. A parked claim moves nothing as long
-- as a node that it waits for has not settled. Where no person is asked for, nothing else is looked at (iif).
UPDATE run
SET state = iif(state = 'running', 'needs_review', 'running')
WHERE run = ?1 AND state IN ('running', 'needs_review')
  AND (state = 'needs_review') <> iif(
    EXISTS (SELECT 1 FROM task WHERE task.run = ?1 AND task.state = 'needs_review')
        OR EXISTS (SELECT 1 FROM task WHERE task.run = ?1 AND task.state = 'in_doubt'),
    NOT EXISTS (
        SELECT 1 FROM task
        WHERE task.run = ?1 AND task.state IN ('ready', 'claimed', 'paused')
          AND NOT (
            task.state = 'claimed' AND task.parked = 1
            AND EXISTS (
                SELECT 1
                FROM json_each(task.awaits) AS node LEFT JOIN task AS awaited
                    ON awaited.run = ?1 AND awaited.node = node.value
                WHERE awaited.state IS NULL
                    OR awaited.state NOT IN ('complete', 'failed', 'dead', 'skipped', 'expanded', 'cancelled')
            )
          )
    ),
    FALSE
  )
RETURNING state
