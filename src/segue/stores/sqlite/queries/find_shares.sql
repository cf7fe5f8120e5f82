-- The shares that a task has given to what it has delegated.
SELECT run, node, item, name, epoch, child, parts, spent FROM reservation
WHERE run = ? AND node = ? AND item = ? AND child IS NOT NULL
