"""What a submission says about a run besides the workflow's own arguments."""

from __future__ import annotations

import json
from typing import Literal, NamedTuple

from segue.domain.records import Amounts
from segue.domain.settings.budgets import NO_BUDGETS, Budgets

OnDeadlock = Literal["break", "fail", "report"]
"""The victim of a deadlock is tried again after a while, or fails, or the deadlock is only told."""


class RunOptions(NamedTuple):
    """
    Options of a run, as they are stored with it.

    `deadline` is wall-clock seconds; `trace` a W3C `traceparent` that the run's hand-offs continue; `module` is where
    the agents were found: told to whoever resumes the run, and never imported because a store says so. `budgets` are
    those of tasks for which neither call nor agent says otherwise, and so are `hops` and `laps`. `on_deadlock` says
    what becomes of a task that is to give way in a deadlock.
    """

    goal: str | None = None
    constraints: tuple[str, ...] = ()
    deadline: float | None = None
    trace: str | None = None
    module: str | None = None
    budgets: Budgets = NO_BUDGETS
    hops: int | None = None
    laps: int | None = None
    on_deadlock: OnDeadlock = "break"
    caps: Amounts = ()
    """What all of it may spend."""

    def to_json(self) -> str:
        """The stored form: what is not set is left out."""
        defaults = self._field_defaults
        given = {name: value for name, value in self._asdict().items() if value != defaults[name]}
        return json.dumps(given, sort_keys=True, separators=(",", ":"), ensure_ascii=False)

    @classmethod
    def from_json(cls, text: str) -> RunOptions:
        """The options behind the stored form."""
        given = json.loads(text)
        given["constraints"] = tuple(given.get("constraints", ()))
        given["caps"] = tuple((unit, amount) for unit, amount in given.get("caps", ()))
        return cls(**given)
