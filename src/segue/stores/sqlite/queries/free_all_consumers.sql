-- Let all consumers go: whoever held one is gone, and the clock of its delays with it.
UPDATE consumer SET claim = NULL, worker = NULL, lease = NULL, due = 0
