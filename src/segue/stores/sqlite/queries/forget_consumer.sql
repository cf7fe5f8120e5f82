-- Forget a consumer that nobody holds.
DELETE FROM consumer WHERE name = ?1 AND (lease > ?2) IS NOT TRUE
