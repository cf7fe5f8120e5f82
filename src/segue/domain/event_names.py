"""
The names of events, and patterns over them.

A name of a task's event carries its agent: `task.research.complete`. A run's events are `run.started`,
`run.complete`, `run.failed`,
`run.cancelled`, `run.needs_review`, `run.resumed`. What ends an attempt or a task is named like its ending.
"""

from __future__ import annotations

from collections.abc import Collection


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
