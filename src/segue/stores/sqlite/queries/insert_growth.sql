-- Write down a node that is appended to a run.
INSERT INTO growth (run, number, node, parent, parent_item, key, document) VALUES (?, ?, ?, ?, ?, ?, ?)
