-- Write down what is spent and reserved of a unit in an account.
UPDATE allowance SET spent = ?4, reserved = ?5 WHERE run = ?1 AND account = ?2 AND unit = ?3
