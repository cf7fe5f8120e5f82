-- The shares of budgets are settled with the last task that they are for. Which these are says the bit 8 of `hold`, which
-- the tasks of runs get that have given shares away before.

UPDATE task SET hold = hold | 8 WHERE run IN (SELECT run FROM reservation WHERE child IS NOT NULL);
