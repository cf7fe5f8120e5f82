"""Pools: how large they are, who holds places, and who is given some."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Sequence
from typing import Literal

import apsw

from segue.domain.records import ClaimRequest, NewRun, NodeNeed, Token, Verdict, task_name
from segue.domain.rows import PoolRecord
from segue.domain.running.pooling import Holding, given_back, held_places, share_out
from segue.domain.running.turns import Kind, Listed, Wanting
from segue.errors import PoolTooSmall
from segue.stores.sqlite.statements import SQL
from segue.stores.sqlite.transaction import Transaction, blob_of, names_of, pools_of
from segue.stores.sqlite.transitions.judging import judge_run
from segue.stores.sqlite.transitions.line import Rows, TasksInLine

PARKED, WANTS = 1, 2
"""What a task's row says of a claim that waits: for other tasks, or, when these have settled, for its pools."""


def pooled_to_run(
    rows: Rows, request: ClaimRequest, boot: float, wall: float, limit: int, suspects: int
) -> list[Wanting]:
    """The tasks of a worker's agents that may have the places they need now."""
    capacities, holdings, returning = _state(rows)
    held = held_places(holdings)
    if limit <= 0 or all(held[pool] >= capacity for pool, capacity in capacities.items()):
        return []
    limits = dict.fromkeys(request.agents, limit) | dict(request.per_agent)
    waiting = TasksInLine(rows, request, boot, wall)
    chosen = share_out(capacities, holdings, returning, waiting, limits, suspects)
    return [each for each in chosen if each not in returning]


def fitting_of(rows: Rows, wanting: Sequence[Wanting], limit: int) -> list[Wanting]:
    """Those of some tasks that may have the places they need now, of each agent so many at most."""
    if not wanting:
        return []
    limits = {each.kind.agent: limit for each in wanting}
    return share_out(*_state(rows), Listed(wanting), limits, 0)


def _state(rows: Rows) -> tuple[dict[str, int], list[Holding], list[Wanting]]:
    """How large the pools are, which claims hold places, and which want theirs back."""
    capacities = dict(rows(SQL.list_pools, ()))
    holdings: list[Holding] = []
    returning: list[Wanting] = []
    for run, node, item, blob, parked, claimed_at in rows(SQL.find_holding, ()):
        pools = pools_of(blob)
        holdings.append(Holding(run, pools, bool(parked)))
        if parked == WANTS:
            returning.append(Wanting(claimed_at, run, node, item, Kind("", given_back(pools))))
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
    return any(each.key == key for each in share_out(*_state(rows), Listed(()), {}, 0))


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
    if tx.live_task(token) is None:
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
    waiting = [(each.kind.pools, 1) for each in returning]
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
