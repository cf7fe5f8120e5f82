"""Arithmetic of leases, retries and sweeps: when to renew and when to sweep. Time is an argument."""

from __future__ import annotations

LEASE_SECONDS = 10.0
"""Long enough for a loop that is blocked for seconds, short enough that a stopped worker's task is soon tried again."""

RENEWALS_PER_LEASE = 3
"""A lease survives two renewals that got lost."""

SWEEP_SECONDS = 0.5
"""How often a worker looks for claims of dead workers: a takeover on the same machine within a second."""


def renew_interval_seconds(lease_seconds: float) -> float:
    """How often leases are renewed."""
    return lease_seconds / RENEWALS_PER_LEASE
