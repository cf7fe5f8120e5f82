-- The pauses that stand in all runs.
SELECT run, node, item, until_node, until_item, data, at FROM pause ORDER BY run, node, item
