-- Where the log has got to: the number of prunings and the newest position.
SELECT
    ifnull((SELECT max(sequence) FROM event WHERE run = ''), 0),
    ifnull((SELECT max(position) FROM event), 0)
