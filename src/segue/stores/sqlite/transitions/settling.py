"""
Ending attempts: the transaction that everything else is there for.

A batch is written with a handful of statements, each for all settlements together, in the expectation that every
token is live and every dependent with a single parent is new. SQLite's count of changed rows says whether that was so.
If not, the transaction is rolled back and goes the careful way: one settlement at a time, which finds out who is stale,
who repeats himself, and which dependents are there already.
"""

from __future__ import annotations

from collections.abc import Sequence

import apsw

from segue.domain.records import (
    ENDS_PAUSE,
    HAS_SHARE,
    PAUSED,
    SETTLED,
    Claim,
    ClaimRequest,
    HandoffRecord,
    Release,
    RunState,
    Settled,
    Settlement,
    Token,
    task_name,
)
from segue.domain.running.pins import pins_handed_on
from segue.stores.looking import Looks
from segue.stores.sqlite.statements import SQL
from segue.stores.sqlite.transaction import EventRow, Transaction, Unforeseen, blob_of, pins_of
from segue.stores.sqlite.transitions.claiming import claim_ready
from segue.stores.sqlite.transitions.concluding import conclude
from segue.stores.sqlite.transitions.granting import standing_claims
from segue.stores.sqlite.transitions.judging import judge_run
from segue.stores.sqlite.transitions.pausing import end_pauses_of_run
from segue.stores.sqlite.transitions.releasing import (
    TaskKey,
    join,
    new_task,
    release_new,
    start_event,
    starts_at_once,
)
from segue.stores.wording import (
    ENDS_ATTEMPT_ONLY,
    NEEDED_BY_NOBODY,
    run_event,
    settlement_data,
)

Row = tuple[object, ...]
Author = Token | tuple[str, str, int, int, None]
"""The task of a hand-off with its epoch and claim; no claim where a person decided."""

ON_HOLD = PAUSED | ENDS_PAUSE | HAS_SHARE
"""All ways in which a task may be on hold."""

DELAYED = frozenset({"retry", "deadlocked"})
"""After these the task is tried again after a while."""

HAS_REASON = frozenset({"failed", "dead", "in_doubt", "skipped"})
"""After these the data of the settlement is the task's error."""


def settle(
    tx: Transaction,
    settlements: Sequence[Settlement],
    worker: str,
    lease_seconds: float,
    request: ClaimRequest | None,
    looks: Looks,
) -> tuple[Sequence[Settled], Sequence[Claim]]:
    """End attempts, release their dependents, end runs, and claim."""
    if tx.careful:
        answers = [_settle_alone(tx, settlement, worker, lease_seconds) for settlement in settlements]
    else:
        answers = _settle_together(tx, settlements, worker, lease_seconds)
    _move_runs(tx, settlements, answers)
    return answers, claim_ready(tx, request, looks) if request is not None else ()


# --- the quick way ----------------------------------------------------------------------------------


def _settle_together(
    tx: Transaction, settlements: Sequence[Settlement], worker: str, lease_seconds: float
) -> list[Settled]:
    _write_endings(tx, settlements)
    lease = tx.boot + lease_seconds
    tasks: list[Row] = []
    joins: list[tuple[int, str, Release]] = []
    places: dict[TaskKey, tuple[int, int]] = {}
    events: list[EventRow | None] = []
    claims: list[list[Claim | None]] = []
    for number, settlement in enumerate(settlements):
        run = settlement.token.run
        events.append(_ending_event(tx, settlement))
        granted: list[Claim | None] = []
        claims.append(granted)
        for release in settlement.releases:
            if starts_at_once(release):
                task, claim, event = new_task(tx, run, release, worker, lease)
                tasks.append(task)
                events.append(event)
                granted.append(claim)
            else:
                # Whether it starts is not known yet; its event and claim will stand here.
                joins.append((number, run, release))
                places[run, release.node, release.item] = (len(events), len(granted))
                events.append(None)
                granted.append(None)
    if tasks:
        try:
            tx.cursor.executemany(SQL.insert_task, tasks)
        except apsw.ConstraintError as conflict:
            raise Unforeseen from conflict
    if joins:
        for key, joined in join(tx, joins, worker, lease_seconds).items():
            event_place, claim_place = places[key]
            events[event_place] = start_event(tx, key[0], joined)
            claims[joined.by][claim_place] = joined.claim
    tx.tell(list(filter(None, events)))
    return [Settled("accepted", tuple(filter(None, granted)), None) for granted in claims]


def _write_endings(tx: Transaction, settlements: Sequence[Settlement], most_hold: int = 0) -> None:
    """
    Write the ended attempts and their hand-offs. Raises `Unforeseen` if not all tokens are live, or a task is on hold
    in more ways than `most_hold`: what it releases may have to be paused, or a pause ends with it. If it may not be on
    hold at all, it must not be parked either: its run may need a review, and moves again.
    """
    left = [
        (settlement.token, settlement.handoff)
        for settlement in settlements
        if settlement.handoff is not None and settlement.ending not in ENDS_ATTEMPT_ONLY
    ]
    number = write_handoffs(tx, left)
    ended: list[Row] = []
    returned: list[Row] = []
    handed_on: list[Row] = []
    for settlement in settlements:
        token, ending, handoff = settlement.token, settlement.ending, settlement.handoff
        if ending in ENDS_ATTEMPT_ONLY:
            returned.append(_returned_row(tx, settlement))
            continue
        error = settlement.data if ending in HAS_REASON else None
        tolerated, seconds = settlement.tolerated, settlement.review_seconds
        review_by = None if seconds is None else tx.wall + seconds
        if handoff is not None and ending == "handed_on":
            handed_on.append(_handed_on_row(tx, settlement, handoff, number))
            number += 1
        elif handoff is None:
            ended.append((*token, ending, None, None, tx.wall, error, tolerated, review_by, most_hold))
        else:
            ended.append(
                (*token, ending, handoff.version, number, tx.wall, error, tolerated, review_by, most_hold)
            )
            number += 1
    before = tx.connection.total_changes()
    if ended:
        tx.cursor.executemany(SQL.settle_task, ended)
    if returned:
        tx.cursor.executemany(SQL.return_task, returned)
    if handed_on:
        tx.cursor.executemany(SQL.hand_on_task, handed_on)
    if tx.connection.total_changes() - before != len(settlements):
        raise Unforeseen


def write_handoffs(tx: Transaction, handoffs: Sequence[tuple[Author, HandoffRecord]]) -> int:
    """Write hand-offs, each with who made it; the number of the first."""
    if not handoffs:
        return 0
    rows: list[Row] = []
    artifacts: list[tuple[int, int, str]] = []
    for place, ((run, node, item, epoch, claim), handoff) in enumerate(handoffs):
        version, status, body, output_size, digest, schema, started_at, completed_at, attached = handoff
        times = (started_at, completed_at)
        rows.append(
            (run, node, item, version, epoch, claim, status, digest, schema, *times, output_size, body)
        )
        artifacts += [(place, number, each) for number, each in enumerate(attached)]
    tx.cursor.executemany(SQL.insert_handoff, rows)
    # Numbers go up one by one: in the one transaction that writes, SQLite gives each row the highest there is plus one.
    first = tx.connection.last_insert_rowid() - len(rows) + 1
    if artifacts:
        numbered = [(first + place, number, digest) for place, number, digest in artifacts]
        tx.cursor.executemany(SQL.insert_handoff_artifact, numbered)
    return first


def _returned_row(tx: Transaction, settlement: Settlement) -> Row:
    ending = settlement.ending
    delay_seconds = settlement.not_before if ending in DELAYED else 0.0
    successor = settlement.successor if ending == "reassigned" else None
    error = settlement.data if ending in ("retry", "reassigned", "deadlocked") else None
    times = (tx.boot + delay_seconds, tx.wall + delay_seconds)
    pools = blob_of(settlement.pools) if settlement.pools else None
    return (*settlement.token, *times, ending, successor, error, pools, settlement.requires)


def _handed_on_row(tx: Transaction, settlement: Settlement, handoff: HandoffRecord, number: int) -> Row:
    run, node, item, *_ = token = settlement.token
    task = tx.row(SQL.find_task, (run, node, item))
    if task is None:
        raise Unforeseen
    pins = blob_of(pins_handed_on(pins_of(task[6]), handoff.pin(node, item)))
    pools = blob_of(settlement.pools) if settlement.pools else None
    return (*token, tx.boot, tx.wall, settlement.successor, handoff.version, number, pins, pools)


def _ending_event(tx: Transaction, settlement: Settlement) -> EventRow:
    run, node, item, epoch, claim = settlement.token
    name = f"task.{settlement.agent}.{settlement.ending}"
    leaves_nothing = settlement.handoff is None or settlement.ending in ENDS_ATTEMPT_ONLY
    ended_without = claim if leaves_nothing else None
    return (run, name, task_name(node, item), epoch, tx.wall, settlement_data(settlement), ended_without)


# --- the careful way --------------------------------------------------------------------------------


def _settle_alone(tx: Transaction, settlement: Settlement, worker: str, lease_seconds: float) -> Settled:
    try:
        return tx.alone(lambda: _settle_one(tx, settlement, worker, lease_seconds))
    except Unforeseen:
        return _why_refused(tx, settlement)


def _settle_one(tx: Transaction, settlement: Settlement, worker: str, lease_seconds: float) -> Settled:
    run, node, item, *_ = settlement.token
    _write_endings(tx, [settlement], ON_HOLD)
    events = [_ending_event(tx, settlement)]
    claims, started = release_new(tx, run, settlement.releases, worker, lease_seconds)
    tx.tell([*events, *started])
    ended_pause = conclude(tx, run, node, item) and settlement.ending in SETTLED
    return Settled("accepted", claims, None, ended_pause)


def _why_refused(tx: Transaction, settlement: Settlement) -> Settled:
    """Whether a refused settlement had been written before by the same token."""
    token, handoff = settlement.token, settlement.handoff
    if handoff is not None and settlement.ending not in ENDS_ATTEMPT_ONLY:
        digests = tx.rows(SQL.find_handoff, token)
        written = (handoff.digest,) in digests
    else:
        key = (token.run, token.claim, token.epoch, task_name(token.node, token.item))
        written = (f"task.{settlement.agent}.{settlement.ending}",) in tx.rows(SQL.find_ending, key)
    if not written:
        return Settled("stale", (), None)
    ((state,),) = tx.rows(SQL.run_state, (token.run,))
    claims = standing_claims(tx, token.run, settlement.releases)
    return Settled("repeated", claims, state if state != "running" else None)


# --- runs -------------------------------------------------------------------------------------------


def _move_runs(tx: Transaction, settlements: Sequence[Settlement], answers: list[Settled]) -> None:
    """End the runs whose last task was settled, and judge the others."""
    last: dict[str, int] = {}
    resolved: dict[str, int] = {}
    for number, settlement in enumerate(settlements):
        run_resolved, releases = settlement.run_resolved, settlement.releases
        # A dependent that starts at once keeps its run moving: nothing to look up.
        if not run_resolved and releases and starts_at_once(releases[0]) and not tx.careful:
            continue
        if answers[number].verdict == "accepted":
            run = settlement.token.run
            resolved[run] = resolved.get(run, 0) + run_resolved
            last[run] = number
    for run, number in last.items():
        state = move_run(tx, run, resolved[run])
        if state is not None:
            answers[number] = answers[number]._replace(run_state=state)


def cancel_needless(tx: Transaction, run: str, node: str | None, error: str | None) -> list[TaskKey]:
    """Cancel what is open of a run, or of one task of it with its items: nobody needs it any more. Which these are."""
    ended = sorted(tx.rows(SQL.cancel_needless, (run, node, tx.wall, error)))
    for name, item, agent, epoch in ended:
        tx.tell_task(run, name, item, agent, "cancelled", epoch)
    return [(run, name, item) for name, item, *_ in ended]


def move_run(tx: Transaction, run: str, resolved: int) -> RunState | None:
    """Count a run down, end it with its last task, or judge it; its state if it has ended or needs a review now."""
    if resolved:
        counted = tx.row(SQL.count_down_run, (run, resolved, tx.wall))
        if counted is not None and counted[0] in {"complete", "failed"}:
            ended: RunState = counted[0]
            needless = cancel_needless(tx, run, None, NEEDED_BY_NOBODY) if counted[1] else []
            if counted[2]:
                end_pauses_of_run(tx, run)
            for task in needless:
                conclude(tx, *task)
            tx.tell_run(run, run_event(ended))
            return ended
    return judge_run(tx, run)
