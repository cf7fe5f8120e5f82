-- Whether a graph is kept.
SELECT 1 FROM graph WHERE digest = ?
