-- When the next task of an agent falls due, of those that were not due at the last look.
SELECT min(due) FROM task WHERE state = 'ready' AND agent = ? AND due > ?
