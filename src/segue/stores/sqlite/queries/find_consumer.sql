-- What a transition must know of a consumer.
SELECT position, epoch, claim, lease, due, parked, trouble FROM consumer WHERE name = ?
