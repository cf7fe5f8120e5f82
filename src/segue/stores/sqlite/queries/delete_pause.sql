-- End a pause, if there is one.
DELETE FROM pause WHERE run = ? AND node = ? AND item = ?
