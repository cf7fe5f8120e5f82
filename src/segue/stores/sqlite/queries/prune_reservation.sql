-- Delete what a pruned run has in the table reservation.
DELETE FROM reservation WHERE run = ?
