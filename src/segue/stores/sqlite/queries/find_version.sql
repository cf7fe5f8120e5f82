-- The digest of one version of a hand-off.
SELECT digest FROM handoff WHERE run = ? AND node = ? AND item = ? AND version = ?
