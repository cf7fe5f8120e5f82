-- The share of a delegation.
SELECT run, node, item, name, epoch, child, parts, spent FROM reservation WHERE run = ? AND child = ?
