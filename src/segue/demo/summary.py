"""
What a run's time went to.

- *Wall* time is from the start of the run to its end. - *Working* time is the length of the union of the
intervals in which at least one agent ran: an hour in which two
  agents ran side by side counts once. An agent that waits for a `Later` does not run.
- *Coordinating* time is the rest of the wall time: nobody worked; hand-offs were validated, written, claimed
and read.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from segue.demo.words import bytes_in_words, counted, seconds_in_words


class Span(NamedTuple):
    """One attempt of one task; times in seconds from any origin. `item` is -1 if it was not mapped."""

    agent: str
    item: int
    attempt: int
    started: float
    completed: float


class Summary(NamedTuple):
    """Where the time of one run went, and what crossed. `agent_seconds` adds up what all agents worked."""

    wall_seconds: float
    working_seconds: float
    coordinating_seconds: float
    agent_seconds: float
    handoffs: int
    handoff_bytes: int


def summarise(
    started: float, completed: float, spans: Iterable[Span], handoff_sizes: Iterable[int]
) -> Summary:
    """
    Sum a run up. Spans are cut to the run: what an earlier process worked before `started` is not counted.

    Raises `ValueError` if the run ends before it starts.
    """
    if completed < started:
        raise ValueError(f"a run that starts at {started} cannot end at {completed}")
    intervals = [(max(span.started, started), min(span.completed, completed)) for span in spans]
    intervals = sorted((begin, end) for begin, end in intervals if end > begin)
    working = union_length(intervals)
    wall = completed - started
    sizes = list(handoff_sizes)
    return Summary(
        wall_seconds=wall,
        working_seconds=working,
        coordinating_seconds=wall - working,
        agent_seconds=sum(end - begin for begin, end in intervals),
        handoffs=len(sizes),
        handoff_bytes=sum(sizes),
    )


def union_length(intervals: Iterable[tuple[float, float]]) -> float:
    """The length of the union of intervals that are sorted by their begin."""
    total, reached = 0.0, float("-inf")
    for begin, end in intervals:
        if end > reached:
            total += end - max(begin, reached)
            reached = end
    return total


def summary_line(summary: Summary) -> str:
    """The last line of `segue demo`."""
    share = summary.coordinating_seconds / summary.wall_seconds if summary.wall_seconds else 0.0
    wall, working = seconds_in_words(summary.wall_seconds), seconds_in_words(summary.working_seconds)
    return (
        f"{wall} wall: {working} working, "
        f"{seconds_in_words(summary.coordinating_seconds)} coordinating ({share:.1%}); "
        f"{counted(summary.handoffs, 'hand-off')}, {bytes_in_words(summary.handoff_bytes)}"
    )
