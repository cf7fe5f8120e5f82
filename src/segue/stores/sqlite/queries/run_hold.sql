-- Whether a run is paused.
SELECT hold FROM run WHERE run = ?
