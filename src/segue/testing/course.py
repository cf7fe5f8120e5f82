"""The course of one task, told again from its events: which states it went through, and whether it may have done so."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from segue.domain.rows import Event

PAUSABLE = frozenset({"ready", "paused"})
"""What the row of a task that is `ready` here may say: a pause is no step of the course; the audit looks at it."""

NOT_THERE = "not there"
"""What a task is before its first event: it has no row, or waits."""

RESET = "reset"
"""What a task is that will be tried again: ready, or waiting for others that will."""

RESOLVED = "resolved"
"""What a task is that was in doubt after a person's word: ready, or still in doubt about another effect."""

ENDINGS = frozenset({"complete", "failed", "dead", "needs_review", "in_doubt", "skipped", "expanded"})
"""Kinds of events after which a task has the state of that name, until somebody decides otherwise."""

LEAVES_HANDOFF = {
    "complete": "complete",
    "needs_review": "needs_review",
    "failed": "failed",
    "dead": "failed",
    "cancelled": "failed",
    "handed_on": "handed_on",
    "delegated": "handed_on",
}
"""The status of the hand-off that an ending may leave."""

_LIVE = frozenset({"claimed", "ready"})
"""An attempt may write in these: as long as it holds its claim, and after its lease ran out."""

_OPEN = _LIVE | {NOT_THERE, RESET, RESOLVED, "needs_review", "in_doubt"}

_BEFORE: dict[str, frozenset[str]] = {
    "ready": frozenset({NOT_THERE, RESET}),
    "delegated": frozenset({NOT_THERE}),
    "claimed": frozenset({NOT_THERE, RESET, RESOLVED, "ready"}),
    "complete": _LIVE | {"needs_review"},
    "failed": _LIVE | {"needs_review"},
    "needs_review": _LIVE | {"needs_review"},
    "dead": _LIVE,
    "in_doubt": _LIVE,
    "skipped": _LIVE,
    "expanded": _LIVE,
    "retry": _LIVE,
    "reassigned": _LIVE,
    "handed_back": _LIVE,
    "handed_on": _LIVE,
    "unreadable": _LIVE,
    "deadlocked": frozenset({"claimed"}),
    "expired": frozenset({"claimed"}),
    "overrun": frozenset({"claimed"}),
    "paused": _OPEN,
    "unpaused": _OPEN,
    "interrupted": frozenset({"claimed"}),
    "cancelled": _OPEN,
    "redriven": frozenset({NOT_THERE, RESET, "failed", "dead", "skipped", "cancelled"}),
}
"""In which states a task can be when something happens to it that moves it."""

_AFTER = {
    "ready": "ready",
    "delegated": "ready",
    "claimed": "claimed",
    "retry": "ready",
    "reassigned": "ready",
    "handed_back": "ready",
    "handed_on": "ready",
    "unreadable": "ready",
    "deadlocked": "ready",
    "expired": "ready",
    "overrun": "ready",
    "interrupted": "ready",
    "cancelled": "cancelled",
    "redriven": RESET,
    **{ending: ending for ending in ENDINGS},
}


class Course:
    """Where a task stands after all its events, and what was wrong on the way."""

    def __init__(self, task: str) -> None:
        self.task = task
        self.state = NOT_THERE
        self.epoch = 0
        self.problems: list[str] = []
        self.left: list[tuple[int, str]] = []
        """Epoch and kind of each ending that leaves a hand-off, or may."""

    @property
    def has_moved(self) -> bool:
        """Whether anything has happened to it: somebody may have written a note about it before."""
        return self.state != NOT_THERE

    def follow(self, event: Event) -> None:
        """Take the next event of the task."""
        kind = event.name.rpartition(".")[2]
        if kind == "resolved" and self.state == "in_doubt":
            self.state = RESOLVED
        if kind not in _BEFORE:
            return  # a remark, which moves nothing
        if self.state not in _BEFORE[kind]:
            self._wrong(event, f"the task was {self.state}")
        epoch = self.epoch + 1 if kind == "claimed" else self.epoch
        if event.epoch != epoch:
            self._wrong(event, f"its epoch is {event.epoch} and not {epoch}")
        if kind in LEAVES_HANDOFF:
            self.left.append((epoch, kind))
        self.epoch = max(epoch, event.epoch or 0)
        # One that becomes paused where it would be ready has no data: nobody has paused it by itself now.
        comes_ready = kind == "paused" and event.data is None
        self.state = "ready" if comes_ready else _AFTER.get(kind, self.state)

    def fits(self, state: str) -> bool:
        """Whether the row of a task may have this state now."""
        possible = {
            NOT_THERE: {"waiting"},
            RESET: {"waiting"} | PAUSABLE,
            RESOLVED: {"in_doubt"} | PAUSABLE,
            "ready": PAUSABLE,
        }
        return state in possible.get(self.state, {self.state})

    def _wrong(self, event: Event, why: str) -> None:
        self.problems.append(f"event {event.sequence} ({event.name}) of {self.task} cannot be: {why}")


def courses(events: Sequence[Event]) -> Iterator[Course]:
    """The course of each task that events of one run speak of."""
    found: dict[str, Course] = {}
    for event in events:
        if event.task is not None:
            found.setdefault(event.task, Course(event.task)).follow(event)
    yield from found.values()
