-- A graph by its digest.
SELECT body FROM graph WHERE digest = ?
