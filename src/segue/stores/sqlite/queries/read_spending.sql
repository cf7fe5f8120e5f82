-- All accounts of a run.
SELECT run, account, unit, cap, spent, reserved FROM allowance WHERE run = ? ORDER BY account, unit
