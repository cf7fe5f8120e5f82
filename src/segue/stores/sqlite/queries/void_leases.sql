-- End all leases: the machine was started anew, so nobody who held one is left.
UPDATE task SET lease = 0 WHERE state = 'claimed'
