"""
Where the time of a run went: when its agents worked, and when nobody did.

*Working* is the length of the union of the intervals in which at least one agent ran: two agents side by side for
an hour are one hour. An agent that waits for a `Later` does not run. *Coordinating* is the rest of the wall time:
hand-offs were validated, written, claimed and read, a retry waited for its time, or no process was there. An attempt
whose process died is not counted as work: nobody knows how far it came, and nothing of it was kept.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from segue.domain.envelope.body import parts_of
from segue.domain.records import task_name
from segue.domain.rows import Event, StoredHandoff
from segue.domain.running.plan import MAP_AGENT

_BEGINS = frozenset({"claimed", "resumed"})
_ENDS = frozenset(
    {
        "parked",
        "complete",
        "failed",
        "needs_review",
        "in_doubt",
        "retry",
        "reassigned",
        "handed_back",
        "handed_on",
        "interrupted",
        "cancelled",
    }
)
_FORGETS = frozenset({"expired", "overrun", "dead", "skipped", "expanded", "unreadable"})
"""After these no agent had run, or nobody knows until when."""


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of time in which one agent ran; an attempt that waited in between has several."""

    task: str
    agent: str
    epoch: int
    started_at: float
    completed_at: float


@dataclass(frozen=True, slots=True)
class Totals:
    """
    Where the time of one run went, what crossed, and what models took. `agent_seconds` adds up what all agents worked.

    Every version of every hand-off counts: what a task has handed on, or failed with before it was tried again, was
    sent and paid for as its last word was. What a hand-off says of its usage counts once for each attempt, since a
    decision on it is a version, and no new work. The last three are None where no hand-off says anything.
    """

    wall_seconds: float
    working_seconds: float
    coordinating_seconds: float
    agent_seconds: float
    handoffs: int
    handoff_bytes: int
    input_tokens: int | None = None
    output_tokens: int | None = None
    cost: float | None = None


def spans_of(events: Sequence[Event], handoffs: Iterable[StoredHandoff], now: float) -> tuple[Span, ...]:
    """
    When agents ran, from the events of a run, oldest first. An attempt that is still running ends at `now`.

    The hand-off says exactly when its attempt began and ended, so that neither the wait of a claim for its agent nor
    the commit counts as work. It also says so of an attempt that lost its lease and was accepted all the same. What was
    delegated begins with a hand-off of no attempt (epoch 0).
    """
    exact = {
        (task_name(stored.node, stored.item), stored.epoch): (
            stored.record.started_at,
            stored.record.completed_at,
        )
        for stored in handoffs
        if stored.epoch
    }
    begun: dict[str, tuple[str, int, float]] = {}
    spans: list[Span] = []

    def end(task: str, at: float) -> None:
        agent, epoch, began = begun.pop(task)
        first, last = exact.get((task, epoch), (began, at))
        began, at = max(began, first), min(at, last)
        if at > began:
            spans.append(Span(task, agent, epoch, began, at))

    for event in events:
        if event.task is None or event.epoch is None:
            continue
        agent, _, kind = event.name.removeprefix("task.").rpartition(".")
        if kind in _BEGINS and agent != MAP_AGENT:
            begun[event.task] = (agent, event.epoch, event.at)
        elif kind in _ENDS and event.task in begun:
            end(event.task, event.at)
        elif kind in _FORGETS:
            begun.pop(event.task, None)
    for task in tuple(begun):
        end(task, now)
    counted = {(span.task, span.epoch) for span in spans}
    agents = {event.task: event.name.split(".", 1)[1].rpartition(".")[0] for event in events if event.task}
    late = (
        Span(task, agents[task], epoch, *times)
        for (task, epoch), times in exact.items()
        if (task, epoch) not in counted and task in agents
    )
    return (*spans, *late)


def totals_of(
    submitted_at: float, ended_at: float, spans: Iterable[Span], handoffs: Sequence[StoredHandoff]
) -> Totals:
    """Sum a run up; `handoffs` are all versions, oldest first. What is outside of the run is cut off."""
    intervals = [(max(span.started_at, submitted_at), min(span.completed_at, ended_at)) for span in spans]
    intervals = sorted((begin, end) for begin, end in intervals if end > begin)
    working = _union_length(intervals)
    wall = max(ended_at - submitted_at, 0.0)
    attempts = {(stored.node, stored.item, stored.epoch): stored.record for stored in handoffs}
    usages = [usage for record in attempts.values() if (usage := parts_of(record).get("usage"))]
    return Totals(
        wall_seconds=wall,
        working_seconds=working,
        coordinating_seconds=wall - working,
        agent_seconds=sum(end - begin for begin, end in intervals),
        handoffs=len(handoffs),
        handoff_bytes=sum(len(stored.record.body) for stored in handoffs),
        input_tokens=_sum(usages, "input_tokens"),
        output_tokens=_sum(usages, "output_tokens"),
        cost=_sum(usages, "cost"),
    )


def _sum(usages: Iterable[Mapping[str, Any]], name: str) -> Any:
    known = [usage[name] for usage in usages if name in usage]
    return sum(known) if known else None


def _union_length(intervals: Iterable[tuple[float, float]]) -> float:
    """The length of the union of intervals that are sorted by their begin."""
    total, reached = 0.0, float("-inf")
    for begin, end in intervals:
        if end > reached:
            total += end - max(begin, reached)
            reached = end
    return total
