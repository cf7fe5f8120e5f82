-- All nodes that were appended to a run, in this order.
SELECT run, number, node, parent, parent_item, key, document FROM growth WHERE run = ? ORDER BY number
