-- All artifacts that a hand-off, step or effect points to.
SELECT digest FROM handoff_artifact
UNION
SELECT value FROM step, json_each(step.artifacts)
ORDER BY 1
