"""Arithmetic of leases, retries and sweeps: when to renew, when to try again. Randomness and time are arguments."""

from __future__ import annotations

LEASE_SECONDS = 10.0
"""Long enough for a loop that is blocked for seconds, short enough that a stopped worker's task is soon tried again."""

RENEWALS_PER_LEASE = 3
"""A lease survives two renewals that got lost."""

SWEEP_SECONDS = 0.5
"""How often a worker looks for claims of dead workers: a takeover on the same machine within a second."""

BACKOFF_MAXIMUM_SECONDS = 60.0
"""No retry waits longer than this for its turn."""


def backoff_seconds(base: float, failures: int, jitter: float) -> float:
    """
    How long to wait after so many failures: doubled each time, capped, and shortened by up to half.

    `jitter` is a random number from 0 to 1; it keeps tasks that failed together from coming back together ("equal
    jitter" in Brooker's "Exponential Backoff and Jitter", AWS 2015).
    """
    full: float = min(base * 2 ** min(failures - 1, 30), BACKOFF_MAXIMUM_SECONDS)
    return full * (1 - jitter / 2)


def renew_interval_seconds(lease_seconds: float) -> float:
    """How often leases are renewed."""
    return lease_seconds / RENEWALS_PER_LEASE
