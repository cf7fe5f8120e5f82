-- The latest hand-offs of a node, by item.
SELECT node, item, max(version), digest, status
FROM handoff
WHERE run = ? AND node = ?
GROUP BY item
ORDER BY item
