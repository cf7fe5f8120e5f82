-- How a task is on hold.
SELECT hold FROM task WHERE run = ? AND node = ? AND item = ?
