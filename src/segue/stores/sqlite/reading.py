"""What is read back, always from one consistent view of the file."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Sequence
from typing import Any

import apsw

from segue.domain.records import ClaimRequest, HandoffRecord, PayloadRecord, RunState
from segue.domain.rows import (
    AllowanceRecord,
    Event,
    GrownRecord,
    PauseRecord,
    RunRecord,
    StepRecord,
    StoredHandoff,
    TaskRecord,
)
from segue.stores.looking import Looks
from segue.stores.sqlite.statements import SQL
from segue.stores.sqlite.transaction import names_of, pins_of, pools_of
from segue.stores.sqlite.transitions.pooling import looked_for
from segue.stores.sqlite.transitions.remembering import step_of
from segue.stores.wording import Position, cursor_text, parse_cursor, pruned_cursor

_PINS, _POOLS, _AWAITS = map(TaskRecord._fields.index, ("pins", "pools", "awaits"))

AFTER_ALL_RUNS = "\U0010ffff"

EXPIRED_AT_ONCE = 100
"""So many reviews that are over are spoken of in one answer; the rest is there when those are dealt with."""


def _rows(connection: apsw.Connection, statement: str, parameters: Sequence[Any] = ()) -> list[Any]:
    return connection.execute(statement, parameters).fetchall()


def _value(connection: apsw.Connection, statement: str, parameters: Sequence[Any] = ()) -> Any:
    return connection.execute(statement, parameters).fetchall()[0][0]


def run_by(connection: apsw.Connection, statement: str, name: str) -> RunRecord | None:
    """A run by its id or key."""
    rows = _rows(connection, statement, (name,))
    return _run(rows[0]) if rows else None


def _run(row: Sequence[Any]) -> RunRecord:
    record = RunRecord(*row)
    return record._replace(paused=bool(record.paused))


def document(connection: apsw.Connection, statement: str, digest: str) -> str | None:
    """The text of a graph or schema."""
    rows = _rows(connection, statement, (digest,))
    return str(rows[0][0]) if rows else None


def payloads(connection: apsw.Connection) -> Sequence[PayloadRecord]:
    """All payloads that are registered."""
    return [PayloadRecord(*row) for row in _rows(connection, SQL.list_payloads)]


def growth(connection: apsw.Connection, run: str) -> Sequence[GrownRecord]:
    """The nodes that were appended to a run."""
    return [GrownRecord(*row) for row in _rows(connection, SQL.read_growth, (run,))]


def allowances(connection: apsw.Connection, run: str) -> Sequence[AllowanceRecord]:
    """The accounts of a run."""
    return [AllowanceRecord(*row) for row in _rows(connection, SQL.read_spending, (run,))]


def runs(
    connection: apsw.Connection, limit: int, before: str | None, states: Collection[RunState]
) -> Sequence[RunRecord]:
    """Runs, newest first."""
    start = before if before is not None else AFTER_ALL_RUNS
    if not states:
        rows = _rows(connection, SQL.list_runs, (start, limit))
        return [_run(row) for row in rows]
    found = [
        _run(row)
        for state in set(states)
        for row in _rows(connection, SQL.list_runs_in_state, (state, start, limit))
    ]
    return sorted(found, key=lambda record: record.run, reverse=True)[:limit]


def tasks(connection: apsw.Connection, run: str, names: Collection[tuple[str, int]]) -> Sequence[TaskRecord]:
    """The tasks of a run, by node and item."""
    if not names:
        return [task_of(row) for row in _rows(connection, SQL.read_tasks, (run,))]
    return [
        task_of(row)
        for node, item in sorted(set(names))
        for row in _rows(connection, SQL.read_task, (run, node, item))
    ]


def reviews(connection: apsw.Connection) -> Sequence[TaskRecord]:
    """The tasks that wait for a decision, by run, node and item."""
    states = ("running", "needs_review")
    return sorted(task_of(row) for state in states for row in _rows(connection, SQL.read_reviews, (state,)))


def expired_reviews(connection: apsw.Connection, wall: float) -> Sequence[TaskRecord]:
    """Some of those on which nobody has decided in time, longest overdue first."""
    return [task_of(row) for row in _rows(connection, SQL.read_expired_reviews, (wall, EXPIRED_AT_ONCE))]


def task_of(row: Sequence[Any]) -> TaskRecord:
    """A task as it is read back."""
    record = TaskRecord(*row)
    parked = record.state == "claimed" and bool(record.parked)
    return record._replace(
        pins=pins_of(row[_PINS]),
        pools=pools_of(row[_POOLS]),
        tolerated=bool(record.tolerated),
        parked=parked,
        awaits=names_of(row[_AWAITS]) if parked else (),
        wants=parked and bool(record.wants),
    )


def steps(connection: apsw.Connection, run: str, node: str, item: int) -> Sequence[StepRecord]:
    """What a task remembers, by name."""
    return [step_of(row) for row in _rows(connection, SQL.read_steps, (run, node, item))]


def pauses(connection: apsw.Connection, run: str | None) -> Sequence[PauseRecord]:
    """The pauses that stand, of one run or of all."""
    rows = (
        _rows(connection, SQL.read_pauses)
        if run is None
        else _rows(connection, SQL.read_pauses_of_run, (run,))
    )
    return [
        PauseRecord(run, node, item, None if until is None else (until, until_item), data, at)
        for run, node, item, until, until_item, data, at in rows
    ]


def command(connection: apsw.Connection, run: str, command: str) -> str | None:
    """What a command that was obeyed had asked for."""
    rows = _rows(connection, SQL.find_command, (run, command))
    return str(rows[0][0]) if rows else None


def handoffs(
    connection: apsw.Connection, run: str, pins: Iterable[tuple[str, int, int]]
) -> Sequence[StoredHandoff]:
    """Exactly these hand-offs, without those that are not there."""
    return [
        _handoff(connection, row) for pin in pins for row in _rows(connection, SQL.read_handoff, (run, *pin))
    ]


def _handoff(connection: apsw.Connection, row: Sequence[Any]) -> StoredHandoff:
    run, node, item, number, epoch, *head, started_at, completed_at = row
    artifacts = tuple(digest for (digest,) in _rows(connection, SQL.read_handoff_artifacts, (number,)))
    record = HandoffRecord._make((*head, started_at, completed_at, artifacts))
    return StoredHandoff(run, node, item, epoch, record)


def latest_handoffs(connection: apsw.Connection, run: str, nodes: Collection[str]) -> Sequence[StoredHandoff]:
    """The latest version of each hand-off."""
    if not nodes:
        return [_handoff(connection, row) for row in _rows(connection, SQL.latest_handoffs, (run,))]
    return [
        _handoff(connection, row)
        for node in sorted(set(nodes))
        for row in _rows(connection, SQL.latest_handoffs_of_node, (run, node))
    ]


def cursor(connection: apsw.Connection, incarnation: str) -> str:
    """The cursor of now."""
    return cursor_text(Position(incarnation, *_rows(connection, SQL.place)[0]))


def tail(
    connection: apsw.Connection, incarnation: str, after: str | None, limit: int, run: str | None
) -> tuple[Sequence[Event], str]:
    """Events after a cursor, and the cursor to go on from: past everything that was looked at."""
    start = _start(connection, incarnation, after) if after is not None else 0
    if run is None:
        rows = _rows(connection, SQL.tail, (start, limit))
    else:
        rows = _rows(connection, SQL.tail_run, (run, start, limit))
    generation, newest = _rows(connection, SQL.place)[0]
    events = [
        Event(cursor_text(Position(incarnation, generation, position)), *values) for position, *values in rows
    ]
    if events and len(events) == limit:
        return events, events[-1].cursor
    return events, cursor_text(Position(incarnation, generation, newest))


def _start(connection: apsw.Connection, incarnation: str, after: str) -> int:
    position = parse_cursor(after, incarnation)
    if _value(connection, SQL.pruned_after, (position.generation, position.position)):
        raise pruned_cursor(after)
    return position.position


def next_due(
    connection: apsw.Connection, boot: float, wall: float, agents: Iterable[str], looks: Looks
) -> float | None:
    """Seconds until a retry of one of these agents, a lease or a budget of any task falls due."""
    since_boot, since_wall = looks.since_any(boot, wall)
    queue_by, ready_deadline, claimed_deadline = _rows(
        connection, SQL.next_overrun, (since_boot, since_wall)
    )[0]
    by_boot = [_value(connection, SQL.next_retry, (agent, looks.since(agent, boot))) for agent in agents]
    by_boot += [_value(connection, SQL.next_lease), queue_by]
    waits = [time - boot for time in by_boot if time is not None]
    waits += [time - wall for time in (ready_deadline, claimed_deadline) if time is not None]
    return max(0.0, min(waits)) if waits else None


def may_claim(connection: apsw.Connection, request: ClaimRequest, now: float, wall: float) -> bool:
    """Whether a claim would find anything: a look that holds nobody up, before a write that does."""
    between = own_claims_between(request)
    found, any_pooled = _rows(connection, SQL.may_claim, (now, wall, json.dumps(request.agents), *between))[0]
    return bool(found) or (bool(any_pooled) and bool(looked_for(connection, request, now, wall)))


def any_claimed(connection: apsw.Connection) -> bool:
    """Whether there is a claim that could have to be taken back."""
    return bool(_value(connection, SQL.any_claimed))


def own_claims_between(request: ClaimRequest) -> tuple[str, str]:
    """The ids that a request hands out lie between `claim.` and `claim/`, the next character after the dot."""
    return f"{request.claim}.", f"{request.claim}/"


def workers(connection: apsw.Connection) -> Sequence[tuple[str, str]]:
    """Known workers."""
    return [(worker, about) for worker, about in _rows(connection, SQL.list_workers)]


def artifact_references(connection: apsw.Connection) -> Sequence[str]:
    """Digests of all artifacts that a hand-off, step or effect points to."""
    return [str(digest) for (digest,) in _rows(connection, SQL.artifact_references)]


def counts(connection: apsw.Connection) -> tuple[int, int, int, int]:
    """How many runs, tasks, hand-offs and events there are."""
    runs, tasks, handoffs, events = _rows(connection, SQL.count_rows)[0]
    return runs, tasks, handoffs, events
