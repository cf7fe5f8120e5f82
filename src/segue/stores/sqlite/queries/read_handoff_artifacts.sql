-- The artifacts that one version of a hand-off points to, in its order.
SELECT digest
FROM handoff_artifact
WHERE run = ? AND node = ? AND item = ? AND version = ?
ORDER BY place
