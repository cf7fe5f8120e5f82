-- What earlier attempts of a task have reserved for themselves and not settled.
SELECT run, node, item, name, epoch, child, parts, spent FROM reservation
WHERE run = ? AND node = ? AND item = ? AND epoch < ? AND child IS NULL AND spent IS NULL
