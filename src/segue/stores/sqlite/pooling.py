"""Pools: how large they are, who holds places, and who is given some."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterable, Sequence
from typing import Any, Literal

import apsw

from segue.domain.envelope.versions import can_read
from segue.domain.records import ClaimRequest, NewRun, NodeNeed, Token, Verdict, task_name
from segue.domain.rows import PoolRecord
from segue.domain.running.pooling import Holding, Wanting, given_back, held_places, share_out
from segue.errors import PoolTooSmall
from segue.stores.sqlite.judging import judge_run
from segue.stores.sqlite.statements import SQL
from segue.stores.sqlite.transaction import Transaction, blob_of, names_of, pools_of

Rows = Callable[[str, Sequence[Any]], list[Any]]
"""Runs a statement: in a transaction that writes, or for a look beforehand."""

LIVE = frozenset({"claimed", "ready", "paused"})
"""The states in which an attempt may still write."""

PARKED, WANTS = 1, 2
"""What a task's row says of a claim that waits: for other tasks, or, when these have settled, for its pools."""


def readable_requirements(rows: Rows, request: ClaimRequest) -> list[str]:
    """Of what ready tasks require, what a worker can read. Most workers read nothing that others cannot."""
    if not request.reads:
        return []
    return [requires for (requires,) in rows(SQL.find_requirements, ()) if can_read(requires, request.reads)]


def pooled_to_run(
    rows: Rows, request: ClaimRequest, boot: float, wall: float, limit: int, suspects: int
) -> list[Wanting]:
    """The tasks of a worker's agents that may have the places they need now."""
    capacities, holdings, returning = _state(rows)
    free = sum(capacities.values()) - sum(held_places(holdings).values())
    limits = dict.fromkeys(request.agents, limit) | dict(request.per_agent)
    agents = [agent for agent in request.agents if limits[agent] > 0]
    if free <= 0 or limit <= 0 or not agents:
        return []
    readable = json.dumps(readable_requirements(rows, request))
    found = rows(SQL.find_pooled, (json.dumps(agents), boot, wall, min(limit, free), readable))
    wanting = [
        Wanting(due, run, node, item, agent, pools_of(blob), bool(is_suspect))
        for due, run, node, item, agent, blob, is_suspect in found
    ]
    chosen = share_out(capacities, holdings, [*returning, *wanting], limits, suspects)
    return [each for each in chosen if not each.returning]


def fitting_of(rows: Rows, wanting: Sequence[Wanting]) -> list[Wanting]:
    """Those of some tasks that may have the places they need now."""
    if not wanting:
        return []
    capacities, holdings, returning = _state(rows)
    limits = {each.agent: len(wanting) for each in wanting}
    return share_out(capacities, holdings, [*returning, *wanting], limits, 0)


def _state(rows: Rows) -> tuple[dict[str, int], list[Holding], list[Wanting]]:
    """How large the pools are, which claims hold places, and which want theirs back."""
    capacities = dict(rows(SQL.list_pools, ()))
    holdings: list[Holding] = []
    returning: list[Wanting] = []
    for run, node, item, blob, parked, claimed_at in rows(SQL.find_holding, ()):
        pools = pools_of(blob)
        holdings.append(Holding(run, pools, bool(parked)))
        if parked == WANTS:
            back = given_back(pools)
            returning.append(Wanting(claimed_at, run, node, item, "", back, returning=True))
    return capacities, holdings, returning


def park(tx: Transaction, token: Token, awaits: Sequence[str]) -> Verdict:
    """Note that a claim waits in the middle of its attempt."""
    found = tx.row(SQL.find_parked, token)
    if found is None:
        return "stale"
    agent, parked, _, before = found
    if parked == PARKED and names_of(before) == tuple(awaits):
        return "repeated"
    tx.cursor.execute(SQL.park_task, (*token, blob_of(awaits)))
    run, node, item, epoch, _ = token
    tx.tell_task(run, node, item, agent, "parked", epoch, json.dumps({"awaits": list(awaits)}))
    judge_run(tx, run)
    return "accepted"


def go_on(tx: Transaction, token: Token) -> Verdict | Literal["wait"]:
    """Let a parked claim go on, if it can have its places back."""
    found = tx.row(SQL.find_parked, token)
    if found is None:
        return "stale"
    agent, parked, blob, _ = found
    if not parked:
        return "repeated"
    run, node, item, epoch, _ = token
    if given_back(pools_of(blob)):
        tx.cursor.execute(SQL.go_on_task, (*token, WANTS))
        if not _may_return(tx.rows, (run, node, item)):
            judge_run(tx, run)
            return "wait"
    tx.cursor.execute(SQL.go_on_task, (*token, 0))
    tx.tell_task(run, node, item, agent, "resumed", epoch)
    judge_run(tx, run)
    return "accepted"


def must_wait(connection: apsw.Connection, token: Token) -> bool:
    """Whether a claim wants its places back and still cannot have them: a look that holds nobody up."""
    rows = _reading(connection)
    found = rows(SQL.find_parked, token)
    return bool(found) and found[0][1] == WANTS and not _may_return(rows, token[:3])


def _may_return(rows: Rows, key: tuple[str, str, int]) -> bool:
    capacities, holdings, returning = _state(rows)
    return any(each.key == key for each in share_out(capacities, holdings, returning, {}, 0))


def set_pool(tx: Transaction, name: str, capacity: int) -> None:
    """Say how many places a pool has. Raises `PoolTooSmall`."""
    needing = tx.row(SQL.find_unmet_need, (name, capacity))
    if needing is not None:
        run, node, places = needing
        raise PoolTooSmall(name, capacity, f"{node} of run {run}", places)
    for run, node, item, blob in tx.rows(SQL.find_needing):
        for need in pools_of(blob):
            if (
                need.pool == name and need.places > capacity
            ):  # of an agent that was not known when it was submitted
                raise PoolTooSmall(name, capacity, f"{task_name(node, item)} of run {run}", need.places)
    if capacity:
        tx.cursor.execute(SQL.set_pool, (name, capacity))
    else:
        tx.cursor.execute(SQL.drop_pool, (name,))


def keep_needs(tx: Transaction, new: NewRun) -> None:
    """Note what the nodes of a run need. Raises `PoolTooSmall` if a pool cannot meet it."""
    if new.needs:
        tx.cursor.executemany(SQL.insert_need, [(new.run, *need) for need in new.needs])
        check_needs(tx, new.run)


def note_needs(tx: Transaction, token: Token, needs: Sequence[NodeNeed]) -> Verdict:
    """Note what the task of a running attempt may need from now on. Raises `PoolTooSmall`."""
    task = tx.row(SQL.find_task, token[:3])
    if task is None or task[1] not in LIVE or (task[2], task[5]) != (token.epoch, token.claim):
        return "stale"
    check_there(tx, needs)
    tx.cursor.executemany(SQL.insert_need, [(token.run, *need) for need in needs])
    return "accepted"


def check_there(tx: Transaction, needs: Iterable[NodeNeed]) -> None:
    """Raises `PoolTooSmall` if a pool cannot meet a need."""
    capacities: dict[str, int] = dict(tx.rows(SQL.list_pools))
    for node, pool, places in needs:
        if places > capacities.get(pool, 0):
            raise PoolTooSmall(pool, capacities.get(pool, 0), node, places)


def check_needs(tx: Transaction, run: str, nodes: Collection[str] | None = None) -> None:
    """Raises `PoolTooSmall` if a pool cannot meet what the nodes of a run need, or these of them."""
    for node, pool, places, there in tx.rows(SQL.find_short_pool, (run,)):
        if nodes is None or node in nodes:
            raise PoolTooSmall(pool, there, node, places)


def read_pools(connection: apsw.Connection) -> Sequence[PoolRecord]:
    """All pools as they are now."""
    rows = _reading(connection)
    capacities, holdings, returning = _state(rows)
    waiting = [(each.pools, 1) for each in returning]
    waiting += [(pools_of(blob), count) for blob, count in rows(SQL.count_wanting, ())]
    held = held_places(holdings)
    return [
        PoolRecord(
            name,
            capacity,
            held[name],
            sum(count for pools, count in waiting if any(need.pool == name for need in pools)),
        )
        for name, capacity in capacities.items()
    ]


def looked_for(
    connection: apsw.Connection, request: ClaimRequest, boot: float, wall: float
) -> Sequence[Wanting]:
    """What a claim would be given of the tasks that need pools: a look that holds nobody up."""
    return pooled_to_run(_reading(connection), request, boot, wall, request.limit, request.suspects)


def _reading(connection: apsw.Connection) -> Rows:
    return lambda statement, parameters: connection.execute(statement, parameters).fetchall()
