-- What a transition must know of a consumer.
SELECT position, epoch, claim, lease, due, parked, trouble, failures FROM consumer WHERE name = ?
