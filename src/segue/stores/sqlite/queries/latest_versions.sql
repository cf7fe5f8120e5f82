-- The latest version of each hand-off of a run.
SELECT node, item, max(version) FROM handoff WHERE run = ? GROUP BY node, item ORDER BY node, item
