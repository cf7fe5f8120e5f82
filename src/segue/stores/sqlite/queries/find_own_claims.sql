-- What a request has claimed already, by the ids that it hands out.
SELECT run, node, item, claim
FROM task
WHERE state = 'claimed' AND claim > ? AND claim < ?
