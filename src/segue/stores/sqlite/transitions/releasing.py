"""Telling dependents that something they wait for is there."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from segue.domain.records import PAUSED_WITH_RUN, SINGLE, Claim, Limits, Release, Token, task_name
from segue.domain.running.overruns import deadline_of, overrun_of
from segue.stores.sqlite.statements import SQL
from segue.stores.sqlite.transaction import EventRow, Transaction, Unforeseen, blob_of
from segue.stores.sqlite.transitions.granting import LatestPins, grant

TaskRow = tuple[object, ...]
LimitsRow = tuple[float | None, float | None, float | None]
TaskKey = tuple[str, str, int]

NO_LIMITS: LimitsRow = (None, None, None)


class Joined(NamedTuple):
    """
    A task that waits for nothing more: by which settlement of the batch, whether it is ready or paused, and the claim
    if it was claimed at once.
    """

    by: int
    release: Release
    state: str
    epoch: int
    claim: Claim | None


def starts_at_once(release: Release) -> bool:
    """Whether a task waits for nothing else and its inputs are known, so that its row can be written whole."""
    return release.pins is not None and release.need <= release.resolved


def new_task(
    tx: Transaction, run: str, release: Release, worker: str, lease: float
) -> tuple[TaskRow, Claim | None, EventRow]:
    """A task that is ready, or claimed, as soon as it is there: its row, the claim that stands in it, its event."""
    node, item, agent, _, _, _, known, broken, claim, _, limits, pools = release
    pins, task, wall, places = known or (), task_name(node, item), tx.wall, blob_of(pools) if pools else None
    queue_seconds, queue_by, deadline = limits_row(tx, limits) if limits is not None else NO_LIMITS
    if claim is None:
        state: TaskRow = ("ready", 0, None, None, None, tx.boot, broken, wall, None, blob_of(pins))
        row: TaskRow = (run, node, item, agent, *state, queue_seconds, queue_by, deadline, places)
        return row, None, (run, f"task.{agent}.ready", task, 0, wall, None, None)
    held: TaskRow = ("claimed", 1, claim, worker, lease, None, broken, wall, wall, blob_of(pins))
    row = (run, node, item, agent, *held, queue_seconds, None, deadline, places)
    overrun = overrun_of(None, deadline, tx.boot, wall) if deadline is not None else None
    granted = Claim(
        Token(run, node, item, 1, claim), agent, 1, 1, pins, broken, wall, 0, 0, overrun, deadline
    )
    return row, granted, (run, f"task.{agent}.claimed", task, 1, wall, None, None)


def limits_row(tx: Transaction, limits: Limits | None) -> LimitsRow:
    """What a task's row holds of its budgets once it is ready: `queue_seconds`, `queue_by` and `deadline`."""
    if limits is None:
        return NO_LIMITS
    queue_seconds = limits.queue_seconds
    queue_by = tx.boot + queue_seconds if queue_seconds is not None else None
    return (queue_seconds, queue_by, deadline_of(limits, tx.wall))


def join(
    tx: Transaction,
    releases: Iterable[tuple[int, str, Release]],
    worker: str,
    lease_seconds: float,
    hold: int = 0,
) -> dict[TaskKey, Joined]:
    """
    Bring tasks nearer to their start, all at once; those that wait for nothing more, by run, node and item.

    Each release comes with the number of its settlement and its run. Several releases of one task count together, and
    the last of them decides who claims it. Raises `Unforeseen` for several of one quorum: it may start with the first.
    `hold` is how those are on hold that come into being.
    """
    sums: dict[TaskKey, tuple[int, Release]] = {}
    for by, run, release in releases:
        key = (run, release.node, release.item)
        if key in sums:
            if release.spare is not None:
                raise Unforeseen
            before = sums[key][1]
            resolved, broken = before.resolved + release.resolved, before.broken or release.broken
            release = release._replace(resolved=resolved, broken=broken)
        sums[key] = (by, release)
    rows: list[TaskRow] = []
    quorums: list[TaskRow] = []
    for key, (_, release) in sums.items():
        if release.spare is None:
            rows.append((*_join_row(tx, key, release, release.resolved, release.broken), hold))
        else:
            quorums.append(_quorum_row(tx, key, release, release.spare, hold))
    released = tx.rows_of_each(SQL.release_task, rows) + tx.rows_of_each(SQL.release_quorum, quorums)
    joined: dict[TaskKey, Joined] = {}
    latest: LatestPins = {}
    for run, node, item, state, epoch in released:
        if state == "waiting":
            continue
        by, release = sums[run, node, item]
        claim = _claim(tx, run, release, worker, lease_seconds, latest) if state == "ready" else None
        joined[run, node, item] = Joined(by, release, state, epoch, claim)
    return joined


def _claim(
    tx: Transaction, run: str, release: Release, worker: str, lease_seconds: float, latest: LatestPins
) -> Claim | None:
    if release.claim is None:
        return None
    return grant(tx, run, release.node, release.item, release.claim, worker, lease_seconds, latest)


def _join_row(tx: Transaction, key: TaskKey, release: Release, resolved: int, flag: bool) -> TaskRow:
    pins = blob_of(release.pins) if release.pins is not None else None
    missing = release.need - resolved
    parents = blob_of(release.parents)
    row = (*key, release.agent, missing, tx.boot, tx.wall, flag, parents, pins, resolved)
    pools = blob_of(release.pools) if release.pools else None
    return (*row, *limits_row(tx, release.limits), pools)


def _quorum_row(tx: Transaction, key: TaskKey, release: Release, spare: int, hold: int) -> TaskRow:
    resolved = max(release.resolved, 0)
    missing = max(-release.resolved, 1) if release.broken else 0
    starts = release.need <= resolved or spare < missing
    return (*_join_row(tx, key, release, resolved, starts), spare - missing, missing, hold)


def start_event(tx: Transaction, run: str, joined: Joined) -> EventRow:
    """What to say of a task that waits for nothing more."""
    _, release, state, epoch, claim = joined
    task = task_name(release.node, release.item)
    if claim is None:
        return (run, f"task.{release.agent}.{state}", task, epoch, tx.wall, None, None)
    return (run, f"task.{release.agent}.claimed", task, claim.token.epoch, tx.wall, None, None)


def release_new(
    tx: Transaction, run: str, releases: Sequence[Release], worker: str, lease_seconds: float
) -> tuple[tuple[Claim, ...], list[EventRow]]:
    """Release tasks one after the other, whatever rows there are: the claims, and the events to append."""
    claims: list[Claim] = []
    events: list[EventRow] = []
    for release in releases:
        hold = _hold_at_birth(tx, run, release)
        for joined in join(tx, [(0, run, release)], worker, lease_seconds, hold).values():
            events.append(start_event(tx, run, joined))
            if joined.claim is not None:
                claims.append(joined.claim)
    return tuple(claims), events


def _hold_at_birth(tx: Transaction, run: str, release: Release) -> int:
    """An item of a mapped task is paused if that was, anything else if its run is."""
    whole = tx.row(SQL.find_hold, (run, release.node, SINGLE)) if release.item != SINGLE else None
    if whole is not None:
        return int(whole[0])
    return PAUSED_WITH_RUN if tx.row(SQL.run_hold, (run,))[0] else 0
