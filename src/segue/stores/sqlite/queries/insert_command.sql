-- Remember that a run has obeyed a command.
INSERT INTO command (run, command, asked) VALUES (?, ?, ?)
