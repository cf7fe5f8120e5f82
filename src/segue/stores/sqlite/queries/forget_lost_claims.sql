-- Let no late result in of a claim that had been lost before, and count no loss of it.
UPDATE task SET claim = NULL WHERE state IN ('ready', 'paused') AND claim IS NOT NULL
