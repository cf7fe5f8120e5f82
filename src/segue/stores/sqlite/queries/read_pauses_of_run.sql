-- The pauses that stand in a run; its own, which has no node, is the first.
SELECT run, node, item, until_node, until_item, data, at FROM pause WHERE run = ? ORDER BY node, item
