-- The latest hand-offs of some nodes, in the order of the nodes and then by item: the loops run as they are written.
SELECT task.node, task.item, handoff.version, handoff.digest, handoff.status
FROM json_each(?2) AS parent
CROSS JOIN task ON task.run = ?1 AND task.node = parent.value
CROSS JOIN handoff ON handoff.id = task.handoff
