-- All consumers, each with how many events are left to it.
SELECT name, position, (SELECT count(*) FROM event WHERE event.position > consumer.position AND run <> ''), worker,
       failures, parked, error
FROM consumer
ORDER BY name
