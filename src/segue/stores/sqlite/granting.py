"""Giving a ready task to a worker, with the exact version of each of its inputs."""

from __future__ import annotations

from collections.abc import Sequence

import apsw

from segue.domain.records import Claim, Pin, Release, Token
from segue.stores.sqlite.statements import SQL
from segue.stores.sqlite.transaction import Transaction, Unforeseen, blob_of, pins_of


def grant(
    tx: Transaction, run: str, node: str, item: int, claim: str, worker: str, lease_seconds: float
) -> Claim:
    """Claim a task that was found ready in this transaction. The event is the caller's to write."""
    found = tx.row(SQL.find_task, (run, node, item))
    agent, _, epoch, attempt, version, _, blob, parents, broken, _ = found
    pins = pins_of(blob) if blob is not None else _latest_pins(tx, run, parents)
    lease = tx.boot + lease_seconds
    granted = (run, node, item, epoch, claim, worker, lease, tx.wall, blob or blob_of(pins))
    if not tx.changed(SQL.grant_task, granted):
        raise Unforeseen
    token = Token(run, node, item, epoch + 1, claim)
    return Claim(token, agent, attempt + 1, version + 1, pins, bool(broken), tx.wall)


def _latest_pins(tx: Transaction, run: str, parents: bytes | None) -> tuple[Pin, ...]:
    nodes = apsw.jsonb_decode(parents) if parents is not None else []
    return tuple(Pin(*row) for node in nodes for row in tx.rows(SQL.latest_pins, (run, node)))


def standing_claim(tx: Transaction, run: str, node: str, item: int, claim: str) -> Claim | None:
    """The claim with this id, if the task still has it."""
    found = tx.row(SQL.find_task, (run, node, item))
    if found is None:
        return None
    agent, state, epoch, attempt, version, standing, blob, _, broken, claimed_at = found
    if state != "claimed" or standing != claim:
        return None
    token = Token(run, node, item, epoch, claim)
    return Claim(token, agent, attempt, version + 1, pins_of(blob), bool(broken), claimed_at)


def standing_claims(tx: Transaction, run: str, releases: Sequence[Release]) -> tuple[Claim, ...]:
    """The claims that a repeated call was given the first time and that still stand."""
    claims = [
        standing_claim(tx, run, release.node, release.item, release.claim)
        for release in releases
        if release.claim is not None
    ]
    return tuple(claim for claim in claims if claim is not None)
