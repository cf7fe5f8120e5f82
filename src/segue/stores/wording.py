"""What every store writes in the same words: the names of events, what they carry, and cursors."""

from __future__ import annotations

import json
import re
from typing import Any, NamedTuple

from segue.domain.decisions import Append, Decision, Word
from segue.domain.records import NewRun, Settlement, TaskState, Token, task_name
from segue.domain.rows import StepRecord
from segue.errors import CursorExpired, KeyConflict

RUN_STARTED = "run.started"
RUN_NEEDS_REVIEW = "run.needs_review"
RUN_RESUMED = "run.resumed"
RUN_PAUSED = "run.paused"
RUN_UNPAUSED = "run.unpaused"
RUN_ANNOTATED = "run.annotated"
RUN_DEADLOCK = "run.deadlock"
STORE_PRUNED = "store.pruned"
RUN_GREW = "run.grew"
RESOLVED = "resolved"
DELEGATED = "delegated"

NEEDED_BY_NOBODY = '{"kind":"cancelled","message":"nobody needed it any more"}'
"""The error of a task that was open when its run had come to its end without it."""

OVERRUN_DEADLINE = '{"budget":"deadline"}'
"""The data of an event that revokes a claim because the task has passed its deadline."""

ENDS_ATTEMPT_ONLY = frozenset({"retry", "reassigned", "handed_back", "unreadable", "deadlocked"})
"""After these the task goes on; they leave no hand-off."""

_CURSOR = re.compile(r"([0-9a-f]{16}):(0|[1-9][0-9]{0,17}):(0|[1-9][0-9]{0,17})", re.ASCII)


class Position(NamedTuple):
    """A place in the whole store; `generation` counts the prunings before it was given out."""

    incarnation: str
    generation: int
    position: int


def cursor_text(position: Position) -> str:
    """The opaque form of a position."""
    return f"{position.incarnation}:{position.generation}:{position.position}"


def parse_cursor(cursor: Any, incarnation: str) -> Position:
    """The position behind a cursor of this incarnation. Raises `CursorExpired` for anything else."""
    match = _CURSOR.fullmatch(cursor) if isinstance(cursor, str) else None
    if match is None:
        raise CursorExpired(
            f"{cursor!r} is not a cursor of this store",
            remedy="Use a cursor exactly as the store gave it, or start from the beginning.",
        )
    if match[1] != incarnation:
        raise CursorExpired(
            f"cursor {cursor!r} belongs to another store or to an earlier incarnation of this one",
            remedy="Read the present state and go on from a new cursor.",
        )
    return Position(match[1], int(match[2]), int(match[3]))


def pruned_cursor(cursor: str) -> CursorExpired:
    """The error for a cursor behind which events have been pruned."""
    return CursorExpired(
        f"events after cursor {cursor!r} have been pruned",
        remedy="Read the present state and go on from a new cursor.",
    )


def task_event(agent: str, what: str) -> str:
    """The name of an event of a task; it carries the agent: `task.research.complete`."""
    return f"task.{agent}.{what}"


def settlement_data(settlement: Settlement) -> str | None:
    """The data of a settlement's event. That it ran speculatively is part of the record."""
    if not settlement.speculative:
        return settlement.data
    told = json.loads(settlement.data) if settlement.data else {}
    return json.dumps({**told, "speculative": True}, separators=(",", ":"))


def step_event(step: StepRecord) -> tuple[str, str]:
    """What to say of a step or effect that was written down, as for `task_event`, and with which data."""
    if step.kind == "step":
        return "step", json.dumps({"step": step.name}, separators=(",", ":"))
    return f"effect_{step.state}", json.dumps({"effect": step.name, "key": step.key}, separators=(",", ":"))


def run_event(state: str) -> str:
    """The name of the event with which a run reaches a state: `run.complete`."""
    return f"run.{state}"


DECIDED: dict[Word, tuple[TaskState, str]] = {
    "approved": ("complete", "complete"),
    "rejected": ("failed", "failed"),
    "escalated": ("needs_review", "escalated"),
    "refused": ("needs_review", "review_refused"),
}
"""For each word on a hand-off in review the state that its task has afterwards, and what the event says."""


def in_time(decision: Decision, review_by: float | None, wall: float) -> bool:
    """Whether this is the time for a decision: a person's before the review ends, that of its terms after it."""
    is_over = review_by is not None and review_by <= wall
    return is_over == decision.by_policy


def same_run(workflow: str, graph_digest: str, text: str, new: NewRun) -> bool:
    """Whether a run with this workflow, graph and input is the one that is submitted again."""
    return (workflow, graph_digest, text) == (new.workflow, new.graph_digest, new.input)


def key_conflict(new: NewRun, standing: str) -> KeyConflict:
    """The error for a key that another run has."""
    return KeyConflict(
        f"run {standing} was submitted under the key {new.key!r} with another workflow, graph or input",
        remedy="Choose another key, or submit the run exactly as it was.",
    )


def growth_data(token: Token, append: Append) -> str:
    """What is told of a task that was delegated: its name, its agent, and by which task."""
    told = {"task": append.node, "agent": append.agent, "by": task_name(token.node, token.item)}
    return json.dumps(told, separators=(",", ":"), ensure_ascii=False)


def expiry_data(worker: str) -> str:
    """The data of an event that takes a claim back: who held it."""
    return json.dumps({"worker": worker}, separators=(",", ":"))


def until_data(data: str, task: str) -> str:
    """The data of a pause that ends by itself: that of its beginning, and with which task."""
    return json.dumps({**json.loads(data), "until": task}, separators=(",", ":"), ensure_ascii=False)
