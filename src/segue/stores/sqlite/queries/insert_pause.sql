-- Keep a pause that stands, in place of one that stood.
INSERT OR REPLACE INTO pause (run, node, item, until_node, until_item, data, at) VALUES (?, ?, ?, ?, ?, ?, ?)
