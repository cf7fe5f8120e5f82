-- Delete the graphs that no run needs any more.
DELETE FROM graph WHERE digest NOT IN (SELECT graph_digest FROM run)
