"""Giving a ready task to a worker, with the exact version of each of its inputs."""

from __future__ import annotations

import math
from collections.abc import Sequence

from segue.domain.records import Claim, Pin, Release, Token
from segue.domain.running.overruns import overrun_of
from segue.stores.sqlite.statements import SQL
from segue.stores.sqlite.transaction import Transaction, Unforeseen, blob_of, pins_of

LatestPins = dict[tuple[str, bytes | None], tuple[Pin, ...]]
"""The latest hand-offs of some parents in a run. Whoever grants several tasks in one go looks each of them up once."""


def grant(
    tx: Transaction,
    run: str,
    node: str,
    item: int,
    claim: str,
    worker: str,
    lease_seconds: float,
    latest: LatestPins,
) -> Claim:
    """Claim a task that was found in this transaction to be had. The event is the caller's to write."""
    agent, _, epoch, attempt, version, lost, blob, parents, broken, _, *counts = tx.row(
        SQL.find_task, (run, node, item)
    )
    failures, losses, queue_by, deadline = counts
    overrun = overrun_of(queue_by, deadline, tx.boot, tx.wall)
    pins = pins_of(blob) if blob is not None else latest.get((run, parents))
    if pins is None:
        pins = latest[run, parents] = tuple(Pin(*row) for row in tx.rows(SQL.latest_pins, (run, parents)))
    lease = tx.boot + lease_seconds
    kept = queue_by if overrun == "queue" else None
    granted = (run, node, item, epoch, claim, worker, lease, tx.wall, blob or blob_of(pins), kept)
    if not tx.changed(SQL.grant_task, granted):
        raise Unforeseen
    token = Token(run, node, item, epoch + 1, claim)
    losses += lost is not None
    return Claim(
        token,
        agent,
        attempt + 1,
        version + 1,
        pins,
        bool(broken),
        tx.wall,
        failures,
        losses,
        overrun,
        deadline,
    )


def standing_claim(tx: Transaction, run: str, node: str, item: int, claim: str) -> Claim | None:
    """The claim with this id, if the task still has it."""
    found = tx.row(SQL.find_task, (run, node, item))
    if found is None:
        return None
    agent, state, epoch, attempt, version, standing, blob, _, broken, claimed_at, *counts = found
    if state != "claimed" or standing != claim:
        return None
    failures, losses, queue_by, deadline = counts
    # A claim keeps the time that had passed when it was given out, and no other.
    overrun = overrun_of(queue_by, deadline, math.inf, claimed_at)
    token, pins = Token(run, node, item, epoch, claim), pins_of(blob)
    return Claim(
        token,
        agent,
        attempt,
        version + 1,
        pins,
        bool(broken),
        claimed_at,
        failures,
        losses,
        overrun,
        deadline,
    )


def standing_claims(tx: Transaction, run: str, releases: Sequence[Release]) -> tuple[Claim, ...]:
    """The claims that a repeated call was given the first time and that still stand."""
    claims = [
        standing_claim(tx, run, release.node, release.item, release.claim)
        for release in releases
        if release.claim is not None
    ]
    return tuple(claim for claim in claims if claim is not None)
