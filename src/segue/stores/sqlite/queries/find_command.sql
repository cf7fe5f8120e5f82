-- What a run was asked for by a command that it has obeyed.
SELECT asked FROM command WHERE run = ? AND command = ?
