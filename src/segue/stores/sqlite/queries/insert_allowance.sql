-- Give a run, or a delegation, an account with a cap for a unit.
INSERT INTO allowance (run, account, unit, cap) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING
