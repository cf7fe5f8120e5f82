"""What workers do beside settling: claim, renew, expire, remark."""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from itertools import chain

from segue.domain.records import Claim, ClaimRequest, Expired, Token, Verdict, task_name
from segue.ports.store import Note
from segue.stores.sqlite.granting import grant, standing_claim
from segue.stores.sqlite.statements import SQL
from segue.stores.sqlite.transaction import EventRow, Transaction, blob_of, pins_of
from segue.stores.wording import expiry_data, task_event

Candidate = tuple[float, str, str, int]


def claim_ready(tx: Transaction, request: ClaimRequest, looked_at: dict[str, float]) -> Sequence[Claim]:
    """Claim ready tasks, oldest first, and note when each agent's were looked at."""
    own = _own_claims(tx, request)
    if own:
        return own
    looked_at.update(dict.fromkeys(request.agents, tx.boot))
    if not tx.row(SQL.any_ready, ())[0]:
        return ()
    claims: list[Claim] = []
    for _, run, node, item in _candidates(tx, request):
        claim = f"{request.claim}.{len(claims)}"
        claims.append(grant(tx, run, node, item, claim, request.worker, request.lease_seconds))
    tx.tell([_task_event(tx, claim.token, claim.agent, "claimed", None) for claim in claims])
    return claims


def _own_claims(tx: Transaction, request: ClaimRequest) -> Sequence[Claim]:
    # The ids that a request hands out lie between `claim.` and `claim/`, the next character after the dot.
    found = tx.rows(SQL.find_own_claims, (f"{request.claim}.", f"{request.claim}/"))
    if not found:
        return ()
    claims = [standing_claim(tx, run, node, item, claim) for run, node, item, claim in found]
    return sorted(
        (claim for claim in claims if claim is not None),
        key=lambda claim: int(claim.token.claim.rpartition(".")[2]),
    )


def _candidates(tx: Transaction, request: ClaimRequest) -> Sequence[Candidate]:
    limits = dict(request.per_agent)
    found: set[Candidate] = set(tx.rows(SQL.find_broken, (tx.boot, request.limit)))
    for agent in request.agents:
        limit = min(limits.get(agent, request.limit), request.limit)
        if limit > 0:
            found.update(tx.rows(SQL.find_ready, (agent, tx.boot, limit)))
    return sorted(found)[: request.limit]


def renew(tx: Transaction, tokens: Sequence[Token], lease_seconds: float) -> Sequence[bool]:
    """Lengthen the leases of live claims."""
    until = tx.boot + lease_seconds
    return [tx.changed(SQL.renew_task, (*token, until)) for token in tokens]


def expire(tx: Transaction, dead_workers: Collection[str]) -> Sequence[Expired]:
    """Take back what dead workers hold, and what is past its lease."""
    expired: list[Expired] = []
    events: list[EventRow] = []
    dead = json.dumps(sorted(dead_workers))
    for run, node, item, epoch, agent, worker in sorted(tx.rows(SQL.find_expired, (tx.boot, dead))):
        if tx.changed(SQL.expire_task, (run, node, item, epoch, worker, tx.boot, tx.wall)):
            expired.append(Expired(run, node, item, epoch, worker))
            token = Token(run, node, item, epoch, "")
            events.append(_task_event(tx, token, agent, "expired", expiry_data(worker)))
    tx.tell(events)
    return expired


def note(tx: Transaction, notes: Sequence[Note]) -> Sequence[Verdict]:
    """Append remarks of running attempts."""
    return [_note(tx, each) for each in notes]


def _note(tx: Transaction, note: Note) -> Verdict:
    token = note.token
    found = tx.row(SQL.find_task, token[:3])
    if found is None:
        return "stale"
    agent, state, epoch, _, _, claim, blob, _, _, _ = found
    if state not in {"claimed", "ready"} or (epoch, claim) != (token.epoch, token.claim):
        return "stale"
    if note.pin is not None:
        pins = pins_of(blob)
        if note.pin in pins:
            return "repeated"
        others = (pin for pin in pins if pin[:2] != note.pin[:2])
        tx.cursor.execute(SQL.pin_task, (*token[:3], blob_of(tuple(chain(others, [note.pin])))))
    tx.tell([_task_event(tx, token, agent, note.kind, note.data)])
    return "accepted"


def _task_event(tx: Transaction, token: Token, agent: str, what: str, data: str | None) -> EventRow:
    task = task_name(token.node, token.item)
    return (token.run, task_event(agent, what), task, token.epoch, tx.wall, data, None)
