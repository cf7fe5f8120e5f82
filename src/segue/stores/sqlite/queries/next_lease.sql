-- When the next lease ends.
SELECT min(lease) FROM task WHERE state = 'claimed'
