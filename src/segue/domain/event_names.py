"""
The names of events, and patterns over them.

A name of a task's event carries its agent: `task.research.complete`, that of a consumer's event its name:
`consumer.monitor:guard.parked`. What ends an attempt or a task is named like its ending.
"""

from __future__ import annotations

from collections.abc import Collection
from difflib import get_close_matches
from typing import Any

from segue.errors import UsageError

KINDS = {
    "task": {
        "annotated", "awaited", "cancelled", "claimed", "complete", "dead", "deadlocked", "delegated",
        "effect_begun", "effect_done", "effect_withdrawn", "escalated", "expanded", "expired", "failed",
        "handed_back", "handed_on", "in_doubt", "interrupted", "needs_review", "overrun", "parked", "paused",
        "progress", "ready", "reassigned", "redriven", "resolved", "resumed", "retry", "review_refused", "skipped",
        "slow", "step", "unpaused", "unreadable",
    },
    "run": {
        "annotated", "cancelled", "complete", "deadlock", "failed", "grew", "needs_review", "paused", "resumed",
        "started", "unpaused",
    },
    "consumer": {"failed", "parked", "resumed", "skipped"},
    "store": {"pruned"},
}  # fmt: skip
"""What can happen, by what it happens to: the last word of every name."""


def is_event_name(name: str) -> bool:
    """Whether there can be an event of this name."""
    subject, _, rest = name.partition(".")
    return rest.rpartition(".")[2] in KINDS.get(subject, ())


def check_pattern(pattern: object) -> str:
    """The same pattern. Raises UsageError for one that fits no event that there can be."""
    if pattern == "*":
        return "*"
    subject, _, rest = pattern.partition(".") if isinstance(pattern, str) else ("", "", "")
    kind = rest.rpartition(".")[2]
    if not isinstance(pattern, str) or subject not in KINDS or not rest:
        raise UsageError(
            f"{pattern!r} fits no event",
            remedy='Events are called like "task.research.complete", "task.failed" (of any agent), "run.complete".',
        )
    if kind != "*" and kind not in KINDS[subject]:
        names = f"There are {', '.join(sorted(KINDS[subject]))}."
        close = get_close_matches(kind, KINDS[subject], n=1)
        raise UsageError(
            f"{pattern!r} fits no event: nothing that happens to a {subject} is called {kind!r}",
            remedy=f"Did you mean {close[0]!r}? {names}" if close else names,
        )
    return pattern


def check_patterns(patterns: Any) -> tuple[str, ...]:
    """One pattern or several. Raises UsageError for one that fits no event that there can be."""
    several = isinstance(patterns, Collection) and not isinstance(patterns, str)
    return tuple(map(check_pattern, patterns if several else (patterns,)))


def matches(name: str, pattern: str) -> bool:
    """
    Whether a name fits a pattern: `task.research.complete` fits `task.research.complete`, `task.complete` (any agent),
    `task.research.*`, `task.*` and `*`.
    """
    if pattern in ("*", name):
        return True
    subject, _, rest = name.partition(".")
    wanted, _, rest_wanted = pattern.partition(".")
    if subject != wanted:
        return False
    if rest_wanted == "*":
        return True
    agent, _, kind = rest.rpartition(".")
    agent_wanted, _, kind_wanted = rest_wanted.rpartition(".")
    return agent_wanted in ("", agent) and kind_wanted in ("*", kind)


def matches_any(name: str, patterns: Collection[str]) -> bool:
    """Whether a name fits one of several patterns; no patterns means all names."""
    return not patterns or any(matches(name, pattern) for pattern in patterns)
