"""Working and coordinating time, worked out from events and hand-offs alone."""

import pytest

from segue.app.working import spans_of, totals_of
from segue.domain.records import HandoffRecord
from segue.domain.rows import Event, StoredHandoff


def event(at: float, name: str, task: str, epoch: int = 1) -> Event:
    return Event("", "run", 0, name, task, epoch, at, None)


def handoff(node: str, started_at: float, completed_at: float, epoch: int = 1) -> StoredHandoff:
    record = HandoffRecord(1, "complete", b'{"output":1}', 1, "sha256:", "", started_at, completed_at, ())
    return StoredHandoff("run", node, -1, epoch, record)


def working(events: list[Event], handoffs: list[StoredHandoff], ended_at: float) -> float:
    spans = spans_of(events, handoffs, now=ended_at)
    return totals_of(0.0, ended_at, spans, handoffs).working_seconds


def test_two_at_once_count_once() -> None:
    """Agents that run side by side are one stretch of working time, and both count as agent time."""
    events = [
        event(0, "task.a.claimed", "a"),
        event(2, "task.b.claimed", "b"),
        event(4, "task.a.complete", "a"),
        event(6, "task.b.complete", "b"),
    ]
    totals = totals_of(0.0, 10.0, spans_of(events, [], now=10.0), [])
    assert (totals.wall_seconds, totals.working_seconds, totals.coordinating_seconds) == (10, 6, 4)
    assert totals.agent_seconds == 8


def test_the_handoff_is_more_exact_than_the_events() -> None:
    """Neither the time from the claim to the start nor the commit counts as work."""
    events = [event(0, "task.a.claimed", "a"), event(5, "task.a.complete", "a")]
    assert working(events, [handoff("a", 1.0, 4.0)], 5.0) == 3.0


def test_waiting_for_a_later_is_not_work() -> None:
    """An agent that is parked does not run until it is resumed."""
    events = [
        event(0, "task.a.claimed", "a"),
        event(1, "task.a.parked", "a"),
        event(7, "task.a.awaited", "a"),
        event(8, "task.a.resumed", "a"),
        event(10, "task.a.complete", "a"),
    ]
    assert working(events, [handoff("a", 0.0, 10.0)], 10.0) == 3.0


def test_a_failed_attempt_is_work_and_its_delay_is_not() -> None:
    """Each attempt counts from its claim to its end; the wait for the retry does not."""
    events = [
        event(0, "task.a.claimed", "a"),
        event(1, "task.a.retry", "a"),
        event(6, "task.a.claimed", "a", 2),
        event(8, "task.a.complete", "a", 2),
    ]
    assert working(events, [handoff("a", 6.0, 8.0, epoch=2)], 8.0) == 3.0


def test_what_a_dead_process_did_is_not_work() -> None:
    """An attempt whose lease ended without a result counts for nothing."""
    events = [
        event(0, "task.a.claimed", "a"),
        event(5, "task.a.expired", "a"),
        event(6, "task.a.claimed", "a", 2),
        event(7, "task.a.complete", "a", 2),
    ]
    assert working(events, [handoff("a", 6.0, 7.0, epoch=2)], 7.0) == 1.0


def test_a_late_result_is_work() -> None:
    """An attempt that lost its lease and was accepted all the same is counted, once, by its hand-off."""
    events = [
        event(0, "task.a.claimed", "a"),
        event(5, "task.a.expired", "a"),
        event(6, "task.a.complete", "a"),
    ]
    assert working(events, [handoff("a", 0.0, 6.0)], 6.0) == 6.0


def test_mapping_is_no_agent() -> None:
    """The task that finds out the list of a mapped node is coordination."""
    events = [event(0, "task.segue.map.claimed", "a"), event(1, "task.segue.map.expanded", "a")]
    assert working(events, [], 2.0) == 0.0


def test_what_still_runs_ends_now() -> None:
    """An attempt that has not ended counts until now."""
    assert working([event(1, "task.a.claimed", "a")], [], 4.0) == 3.0


@pytest.mark.parametrize(("ended_at", "wall"), [(1.0, 1.0), (0.0, 0.0), (-1.0, 0.0)])
def test_a_clock_that_jumped_back_gives_no_negative_time(ended_at: float, wall: float) -> None:
    """Durations are never below nothing, whatever the wall clock did."""
    assert totals_of(0.0, ended_at, (), []).wall_seconds == wall
