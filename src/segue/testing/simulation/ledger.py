"""What the oracle itself knows of each task: what was granted, what was accepted, what was acknowledged."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import NamedTuple

from segue.domain.records import Settlement, TaskState, Token, task_name
from segue.stores.memory.rows import Task

Key = tuple[str, str, int]
"""A task: its run, node and item."""


class Facts(NamedTuple):
    """What may only change with an event."""

    state: TaskState | None
    epoch: int
    attempt: int
    version: int
    claim: str | None


NOTHING = Facts(None, 0, 0, 0, None)


def facts_of(task: Task) -> Facts:
    """The facts of a task as they are now."""
    return Facts(task.state, task.epoch, task.attempt, task.version, task.claim)


@dataclass(slots=True)
class Account:
    """One task's account. `grants` are its tokens, oldest first, and `revoked` those that may write no more."""

    facts: Facts = NOTHING
    grants: list[Token] = field(default_factory=list)
    revoked: set[Token] = field(default_factory=set)
    accepted: dict[Token, str] = field(default_factory=dict)
    """What each token wrote: a digest, or else its ending."""
    digests: list[str] = field(default_factory=list)
    """The hand-offs that were accepted, by version from 1."""
    decisions: set[str] = field(default_factory=set)
    """The ids of what was decided on its hand-offs."""
    handed_back: int = 0
    handed_on: int = 0
    unknown: int = 0
    """How often a worker gave it back because it did not know a payload, or the agent that was to go on."""
    deadlocks: int = 0
    failures: int = 0
    losses: int = 0
    losses_at: dict[Token, int] = field(default_factory=dict)
    """How many there had been at each grant."""
    is_lost: bool = False
    """Whether the last claim was lost with its worker: if the task is claimed again, that was a loss."""
    granted_by: str = ""
    """The verb of the latest grant."""
    lease_until: float = 0.0
    due: float = 0.0
    """Before this the task must not be tried again."""
    claims_told: int = 0
    ends_told: int = 0
    """How often the log says that the task was claimed, and that it has ended."""

    @property
    def latest(self) -> Token | None:
        """The token of the latest grant."""
        return self.grants[-1] if self.grants else None


class Accounts(defaultdict[Key, Account]):
    """The accounts of all tasks of a world."""

    def __init__(self) -> None:
        super().__init__(Account)


def written_by(settlement: Settlement) -> str:
    """What a settlement writes, in a word: two calls are the same if this is."""
    return settlement.handoff.digest if settlement.handoff is not None else settlement.ending


def name_of(key: Key) -> str:
    """A task with its run, for a message."""
    return f"{key[0]}/{task_name(key[1], key[2])}"
