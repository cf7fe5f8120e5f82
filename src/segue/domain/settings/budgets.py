"""
The four budgets of a task, each set on the call, the agent or the run; the nearest word holds.

Whoever says nothing leaves a budget to the next: the call to the agent, the agent to the run, the run to the defaults
here. Saying None is saying something: no limit. Only the deadline is different: all that were given hold, so the
earliest counts.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, TypedDict

from segue.domain.settings.durations import Duration, duration_text, named_seconds
from segue.errors import UsageError

Budgets = Mapping[str, float | None]
"""The budgets that were given, in seconds by their names; None is no limit."""

NO_BUDGETS: Budgets = MappingProxyType({})
"""Nothing was said, so everything is left to others."""

DEFAULT_BUDGETS: Budgets = MappingProxyType(
    {"timeout_seconds": 3600.0, "idle_seconds": None, "queue_seconds": None, "deadline_seconds": None}
)
"""
What holds where nobody says anything. An hour to run is more than an agent needs that is alive, and ends one that
hangs within the hour. Idle is off, because only agents that report progress can be told from those that hang; queue
is off, because a run may wait for days until a process has its agents; and how long all may take is for users to say.
"""


class RunBudgets(TypedDict, total=False):
    """The budgets that a run may set for all its tasks: how long to run, to be silent, and to wait for a worker."""

    timeout: Duration | None
    idle: Duration | None
    queue: Duration | None


_WITHIN = (("idle", "timeout"), ("idle", "deadline"), ("timeout", "deadline"), ("queue", "deadline"))
"""The first of each pair is a part of the second, so a longer one could never be used up."""


def budgets_of(given: Mapping[str, Any]) -> Budgets:
    """
    The budgets among settings as users write them (`timeout`, `idle`, `queue`, `deadline`).

    Raises UsageError for what is no duration, and for budgets that contradict each other.
    """
    budgets: dict[str, float | None] = {}
    for name in ("timeout", "idle", "queue", "deadline"):
        if name in given:
            budgets[f"{name}_seconds"] = optional_seconds(name, given[name])
    for part, whole in _WITHIN:
        check_within(part, budgets.get(f"{part}_seconds"), whole, budgets)
    return budgets


def check_within(part: str, part_seconds: float | None, whole: str, budgets: Budgets) -> None:
    """Refuse what lasts longer than the budget `whole` that it is a part of. Raises UsageError."""
    limit_seconds = {**DEFAULT_BUDGETS, **budgets}[f"{whole}_seconds"]
    if part_seconds is None or limit_seconds is None or part_seconds <= limit_seconds:
        return
    given = f"{whole}_seconds" in budgets
    told = f"{whole}={duration_text(limit_seconds)!r}" + (
        "" if given else ", which holds where none is given"
    )
    raise UsageError(
        f"{part}={duration_text(part_seconds)!r} is longer than {told}",
        remedy=f"Give a shorter `{part}`, or a longer `{whole}`.",
    )


def resolved(*said: Budgets) -> dict[str, float | None]:
    """The budgets that hold, from the least word to the last, over the defaults."""
    budgets = dict(DEFAULT_BUDGETS)
    for each in said:
        budgets.update(each)
    return budgets


def optional_seconds(name: str, value: Duration | None) -> float | None:
    """The seconds of a setting that may be None. Raises UsageError naming it."""
    return None if value is None else named_seconds(name, value)
