-- The artifacts that a hand-off points to, in its order.
SELECT digest FROM handoff_artifact WHERE handoff = ? ORDER BY place
