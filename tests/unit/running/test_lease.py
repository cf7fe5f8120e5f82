"""When a lease that has ended counts: not after a gap in which nobody could renew it."""

from __future__ import annotations

import pytest

from segue.domain.running.lease import (
    Contact,
    contact_after,
    leases_count,
    renew_interval_seconds,
    sweep_interval_seconds,
    trusted_seconds,
)

LEASE = 10.0


def swept(times: list[tuple[float, float]], lease_seconds: float = LEASE) -> Contact | None:
    """The contact after sweeps that asked and were answered at these times."""
    contact = None
    for asked_at, answered_at in times:
        contact = contact_after(contact, asked_at, answered_at, lease_seconds)
    return contact


def every_half_second(first: float, last: float) -> list[tuple[float, float]]:
    """Sweeps without a gap."""
    return [(first + number / 2, first + number / 2) for number in range(int(2 * (last - first)) + 1)]


def test_a_fresh_process_waits_for_half_a_lease() -> None:
    """Who has just come does not know whether the store was away before: leases count from half a lease on."""
    assert not leases_count(None, 0.0, LEASE)
    assert not leases_count(swept(every_half_second(0.0, 4.0)), 4.5, LEASE)
    assert leases_count(swept(every_half_second(0.0, 5.0)), 5.0, LEASE)


def test_without_a_gap_leases_count() -> None:
    """As long as each sweep is answered in time, what is past its lease is taken back at once."""
    assert leases_count(swept(every_half_second(0.0, 100.0)), 100.5, LEASE)


@pytest.mark.parametrize("gap", [1.5, 12.0, 3600.0])
def test_after_a_gap_leases_do_not_count_for_half_a_lease(gap: float) -> None:
    """After an outage, or a pause of the sweeper itself, holders get half a lease to renew; then leases count again."""
    before = every_half_second(0.0, 20.0)
    back = 20.0 + gap
    assert not leases_count(swept(before), back, LEASE)
    after = [*before, *every_half_second(back, back + 4.5)]
    assert not leases_count(swept(after), back + 4.75, LEASE)
    assert leases_count(swept([*after, (back + 5.0, back + 5.0)]), back + 5.5, LEASE)


def test_an_answer_that_took_long_is_a_gap() -> None:
    """A sweep that had to wait for the store waited for what held up the renewals too."""
    contact = swept([*every_half_second(0.0, 20.0), (20.5, 32.5)])
    assert not leases_count(contact, 33.0, LEASE)
    assert contact is not None
    assert contact.patient_until == 32.5 + LEASE / 2


@pytest.mark.parametrize("lease_seconds", [0.1, 0.3, 2.0, 10.0, 600.0])
def test_intervals_fit_into_a_lease(lease_seconds: float) -> None:
    """Whoever renews as he should has time left when the longest gap that nobody calls one is over."""
    left_when_a_gap_begins = lease_seconds - renew_interval_seconds(lease_seconds)
    assert 2 * sweep_interval_seconds(lease_seconds) < left_when_a_gap_begins
    assert renew_interval_seconds(lease_seconds) < trusted_seconds(lease_seconds) < lease_seconds
