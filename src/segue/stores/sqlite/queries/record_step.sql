-- Write a step or effect down, if the attempt that says so may still write and what is known under the name lets it.
INSERT INTO step (run, node, item, name, kind, state, key, body, epoch, claim, at, artifacts)
SELECT run, node, item, ?6, ?7, ?8, ?9, ?10, epoch, claim, ?11, ?12
FROM task
WHERE run = ?1 AND node = ?2 AND item = ?3 AND epoch = ?4 AND claim = ?5 AND (state IN ('claimed', 'ready') OR state = 'paused')
  AND (
    ?7 = 'step' OR ?8 = 'begun'
    OR EXISTS (SELECT 1 FROM step WHERE run = ?1 AND node = ?2 AND item = ?3 AND name = ?6)
  )
ON CONFLICT (run, node, item, name) DO UPDATE
SET state = excluded.state, key = excluded.key, body = excluded.body, epoch = excluded.epoch, claim = excluded.claim,
    at = excluded.at, artifacts = excluded.artifacts
WHERE kind = 'effect' AND excluded.kind = 'effect' AND state = iif(excluded.state = 'begun', 'withdrawn', 'begun')
