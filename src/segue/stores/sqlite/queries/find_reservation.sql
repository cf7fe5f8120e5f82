-- What a task has reserved under a name.
SELECT run, node, item, name, epoch, child, parts, spent FROM reservation
WHERE run = ? AND node = ? AND item = ? AND name = ?
