"""Arithmetic of leases, retries and sweeps: when to renew and when to sweep. Time is an argument."""

from __future__ import annotations

from typing import NamedTuple

LEASE_SECONDS = 10.0
"""Long enough for a loop that is blocked for seconds, short enough that a stopped worker's task is soon tried again."""

RENEWALS_PER_LEASE = 3
"""A lease survives two renewals that got lost."""

SWEEP_SECONDS = 0.5
"""How often a worker looks for claims of dead workers: a takeover on the same machine within a second."""

SWEEPS_PER_LEASE = 6
"""A worker with a short lease looks more often: what it must notice happens in parts of a lease."""


def renew_interval_seconds(lease_seconds: float) -> float:
    """How often leases are renewed."""
    return lease_seconds / RENEWALS_PER_LEASE


def sweep_interval_seconds(lease_seconds: float) -> float:
    """How often a worker looks for claims to take back."""
    return min(SWEEP_SECONDS, lease_seconds / SWEEPS_PER_LEASE)


def trusted_seconds(lease_seconds: float) -> float:
    """How long a worker trusts a lease, counted from before the store was asked for it."""
    return lease_seconds * 2 / 3


class Contact(NamedTuple):
    """When a sweeper last had an answer from its store, and from when on it takes a lease that ended for a sign."""

    answered_at: float
    patient_until: float


def contact_after(
    before: Contact | None, asked_at: float, answered_at: float, lease_seconds: float
) -> Contact:
    """
    What an answer means for the next sweep: after a gap, leases are given half their length before they count.

    In a gap the store was away, or this process was stopped. Others may not have been able to renew either: taking
    their work away would run all of it twice. A fresh process does not know how it was before it came. An answer that
    took long is a gap too: it may have waited for the very thing that held up the renewals.
    """
    longest = 2 * sweep_interval_seconds(lease_seconds)
    if before is not None and asked_at - before.answered_at <= longest and answered_at - asked_at <= longest:
        return Contact(answered_at, before.patient_until)
    return Contact(answered_at, answered_at + lease_seconds / 2)


def leases_count(contact: Contact | None, now: float, lease_seconds: float) -> bool:
    """Whether a sweep that asks now may take back what is past its lease."""
    if contact is None or now < contact.patient_until:
        return False
    return now - contact.answered_at <= 2 * sweep_interval_seconds(lease_seconds)
