-- Some accounts of a run.
SELECT account, unit, cap, spent, reserved FROM allowance
WHERE run = ?1 AND account IN (SELECT value FROM json_each(?2))
