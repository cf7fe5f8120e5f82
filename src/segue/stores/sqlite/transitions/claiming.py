"""What workers do beside settling: claim, renew, expire, remark."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from itertools import chain

from segue.domain.envelope.versions import can_read
from segue.domain.records import Claim, ClaimRequest, Token, Verdict, task_name
from segue.domain.rows import Expired
from segue.domain.running.turns import Kind, Wanting
from segue.ports.store import Note
from segue.stores.looking import Looks
from segue.stores.sqlite.reading import own_claims_between
from segue.stores.sqlite.statements import SQL
from segue.stores.sqlite.transaction import EventRow, Transaction, blob_of, pins_of, pools_of
from segue.stores.sqlite.transitions.consuming import let_go_of_dead
from segue.stores.sqlite.transitions.granting import LatestPins, grant, standing_claim
from segue.stores.sqlite.transitions.judging import judge_run
from segue.stores.sqlite.transitions.pooling import fitting_of, pooled_to_run
from segue.stores.sqlite.transitions.releasing import TaskKey
from segue.stores.wording import OVERRUN_DEADLINE, expiry_data, task_event

Candidate = tuple[float, str, str, int]
"""A ready task: when it fell due, its run, node and item."""


def claim_ready(tx: Transaction, request: ClaimRequest, looks: Looks) -> Sequence[Claim]:
    """Claim ready tasks, those that are only to be settled first, each kind oldest first."""
    own = _own_claims(tx, request)
    if own:
        return own
    found = _named(tx, request) if request.tasks else _oldest(tx, request, looks)
    claims: list[Claim] = []
    latest: LatestPins = {}
    for run, node, item in found:
        claim = f"{request.claim}.{len(claims)}"
        claims.append(grant(tx, run, node, item, claim, request.worker, request.lease_seconds, latest))
    tx.tell([_task_event(tx, claim.token, claim.agent, "claimed", None) for claim in claims])
    return claims


def _oldest(tx: Transaction, request: ClaimRequest, looks: Looks) -> list[TaskKey]:
    looks.note(request.agents, tx.boot, tx.wall)
    any_ready, any_to_settle, any_pooled = tx.row(SQL.look, (tx.boot, tx.wall))
    if not (any_ready or any_to_settle or any_pooled):
        return []
    found = _to_settle(tx, request.limit) if any_to_settle else []
    left = request.limit - len(found)
    pooled = pooled_to_run(tx.rows, request, tx.boot, tx.wall, left, request.suspects) if any_pooled else ()
    return found + _to_run(tx, request, left, pooled)


def _named(tx: Transaction, request: ClaimRequest) -> list[TaskKey]:
    """Of the tasks that a request names those that can be worked on now."""
    found = [
        Wanting(due, run, node, item, Kind(agent, pools_of(blob)))
        for task in sorted(set(request.tasks))
        for due, run, node, item, agent, blob in tx.rows(SQL.find_named, (*task, tx.boot, tx.wall))
    ]
    fitting = fitting_of(tx.rows, [each for each in found if each.kind.pools], request.limit)
    return [each.key for each in found if not each.kind.pools or each in fitting][: request.limit]


def _own_claims(tx: Transaction, request: ClaimRequest) -> Sequence[Claim]:
    found = tx.rows(SQL.find_own_claims, own_claims_between(request))
    if not found:
        return ()
    claims = [standing_claim(tx, run, node, item, claim) for run, node, item, claim in found]
    return sorted(
        (claim for claim in claims if claim is not None),
        key=lambda claim: int(claim.token.claim.rpartition(".")[2]),
    )


def _to_settle(tx: Transaction, limit: int) -> list[TaskKey]:
    """The tasks that any worker may have, because nobody is to run them any more."""
    found: list[TaskKey] = [
        *tx.rows(SQL.find_broken, (tx.boot, limit)),
        *tx.rows(SQL.find_unclaimed, (tx.boot, limit)),
        *tx.rows(SQL.find_too_late, (tx.wall, limit)),
    ]
    return list(dict.fromkeys(found))[:limit]


def _to_run(tx: Transaction, request: ClaimRequest, limit: int, pooled: Sequence[Wanting]) -> list[TaskKey]:
    """
    The tasks of a worker's agents, oldest first, and at most so many suspects among them; `pooled` are those that can
    have the places they need.
    """
    limits, suspects = dict(request.per_agent), request.suspects
    found: list[tuple[Candidate, str, bool]] = [
        ((each.since, *each.key), each.kind.agent, each.kind.is_suspect) for each in pooled
    ]
    agents = sorted(set(request.agents))
    for agent in agents:
        limits.setdefault(agent, limit)
    ready = dict(tx.rows(SQL.find_agents, (json.dumps(agents), tx.boot)))
    for agent, any_suspect in ready.items():
        most = min(limits[agent], limit)
        if most > 0:
            rows = tx.rows(SQL.find_ready, (agent, tx.boot, tx.wall, most))
            found += [(row, agent, False) for row in rows]
        if any_suspect and min(most, suspects) > 0:
            rows = tx.rows(SQL.find_suspects, (agent, tx.boot, tx.wall, min(most, suspects)))
            found += [(row, agent, True) for row in rows]
    found += _readable(tx, request, ready, limits, limit)
    chosen: list[TaskKey] = []
    for (_, run, node, item), agent, is_suspect in sorted(found):
        if len(chosen) == limit:
            break
        if limits[agent] > 0 and suspects >= is_suspect:
            limits[agent] -= 1
            suspects -= is_suspect
            chosen.append((run, node, item))
    return chosen


def _readable_requirements(tx: Transaction, request: ClaimRequest) -> list[str]:
    """Of what ready tasks require, what a worker can read. Most workers read nothing that others cannot."""
    if not request.reads:
        return []
    return [requires for (requires,) in tx.rows(SQL.find_requirements) if can_read(requires, request.reads)]


def _readable(
    tx: Transaction, request: ClaimRequest, agents: Collection[str], limits: Mapping[str, int], limit: int
) -> list[tuple[Candidate, str, bool]]:
    """The tasks that not every worker can read, and this one can."""
    return [
        ((due, run, node, item), agent, bool(is_suspect))
        for requires in _readable_requirements(tx, request)
        for agent in agents
        for due, run, node, item, is_suspect in tx.rows(
            SQL.find_readable, (agent, requires, tx.boot, tx.wall, max(min(limits[agent], limit), 0))
        )
    ]


def renew(tx: Transaction, tokens: Sequence[Token], lease_seconds: float) -> Sequence[bool]:
    """Lengthen the leases of live claims."""
    until = tx.boot + lease_seconds
    return [tx.changed(SQL.renew_task, (*token, until)) for token in tokens]


def expire(tx: Transaction, dead_workers: Collection[str], ended_by: float) -> Sequence[Expired]:
    """Take back what dead workers hold, whose lease had ended by a time, or what is past its deadline."""
    let_go_of_dead(tx, dead_workers)
    dead = json.dumps(sorted(dead_workers))
    lost = tx.rows(SQL.find_expired, (ended_by, dead))
    late = set(tx.rows(SQL.find_running_late, (tx.wall,)))
    expired: list[Expired] = []
    events: list[EventRow] = []
    for found in sorted({*lost, *late}):
        run, node, item, epoch, agent, worker = found
        statement = SQL.revoke_task if found in late else SQL.expire_task
        if tx.changed(statement, (run, node, item, epoch, worker, tx.boot, tx.wall)):
            expired.append(Expired(run, node, item, epoch, worker))
            token = Token(run, node, item, epoch, "")
            what, data = ("overrun", OVERRUN_DEADLINE) if found in late else ("expired", expiry_data(worker))
            events.append(_task_event(tx, token, agent, what, data))
    tx.tell(events)
    for run in sorted({each.run for each in expired}):
        judge_run(tx, run)
    return expired


def note(tx: Transaction, notes: Sequence[Note]) -> Sequence[Verdict]:
    """Append remarks of running attempts."""
    return [_note(tx, each) for each in notes]


def _note(tx: Transaction, note: Note) -> Verdict:
    token = note.token
    found = tx.live_task(token)
    if found is None:
        return "stale"
    agent, _, _, _, _, _, blob, *_ = found
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
