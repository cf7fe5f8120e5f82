"""
Who gets places in pools: all that a task needs or none of it, and no run starves another.

Held places are never counted: they follow from what is claimed. Whoever waited in the middle of his attempt comes
first, then the run that holds the least, then the oldest task. A task that does not fit reserves what it waits for, so
that smaller ones do not pass it for ever; but only if it will fit when those who run now have ended. Places that
somebody keeps while he waits come back nobody knows when, and what he waits for may need those that are free.
"""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from segue.domain.records import Need, Pools
from segue.domain.rows import PoolRecord
from segue.errors import PoolTooSmall


class Holding(NamedTuple):
    """A claim that needs pools: of which run, and whether it waits in the middle of its attempt."""

    run: str
    pools: Pools
    parked: bool


class Wanting(NamedTuple):
    """
    A task that waits for places, from when on. One that is `returning` has its claim already and only wants back what
    it has given away meanwhile.
    """

    since: float
    run: str
    node: str
    item: int
    agent: str
    pools: Pools
    is_suspect: bool = False
    returning: bool = False

    @property
    def key(self) -> tuple[str, str, int]:
        """Its run, node and item."""
        return (self.run, self.node, self.item)


def held_of(pools: Pools, *, parked: bool) -> Pools:
    """What a claim holds of the places that it needs."""
    return tuple(need for need in pools if need.keep) if parked else pools


def given_back(pools: Pools) -> Pools:
    """What a claim takes again when it has waited."""
    return tuple(need for need in pools if not need.keep)


def held_places(holdings: Iterable[Holding]) -> Counter[str]:
    """How many places of each pool are held."""
    held: Counter[str] = Counter()
    for holding in holdings:
        for need in held_of(holding.pools, parked=holding.parked):
            held[need.pool] += need.places
    return held


def check_capacities(pools: Iterable[PoolRecord], task: str, needs: Iterable[Need]) -> None:
    """Raises PoolTooSmall if a task needs a pool that is not there, or more than it has."""
    capacities = {pool.name: pool.capacity for pool in pools}
    for need in needs:
        if need.places > capacities.get(need.pool, 0):
            raise PoolTooSmall(need.pool, capacities.get(need.pool, 0), task, need.places)


def share_out(
    capacities: Mapping[str, int],
    holdings: Sequence[Holding],
    wanting: Iterable[Wanting],
    limits: Mapping[str, int],
    suspects: int,
) -> list[Wanting]:
    """
    Who of those that wait gets places now, in the order in which they are given.

    `limits` says how many tasks of an agent may be given out at all, and `suspects` how many suspects: whoever is
    beyond them gets nothing and reserves nothing. For those that are returning there is no limit.
    """
    shares = _Shares(capacities, holdings)
    room, chosen = dict(limits), list[Wanting]()
    queue = _Queue(shares, wanting)
    while any(free > 0 for free in shares.free.values()) and (each := queue.next()) is not None:
        if not each.returning and (room.get(each.agent, 0) <= 0 or suspects < each.is_suspect):
            continue
        if not shares.fits(each.pools):
            shares.reserve(each.pools)
            continue
        shares.give(each)
        chosen.append(each)
        if not each.returning:
            room[each.agent] -= 1
            suspects -= each.is_suspect
    return chosen


class _Shares:
    """What is free, what is kept by those who wait, and what each run holds."""

    def __init__(self, capacities: Mapping[str, int], holdings: Sequence[Holding]) -> None:
        self._capacities = capacities
        held = held_places(holdings)
        self.free = {pool: capacity - held[pool] for pool, capacity in capacities.items()}
        self._kept = held_places(holding for holding in holdings if holding.parked)
        self._of_run: Counter[tuple[str, str]] = Counter()
        for holding in holdings:
            self._add(holding.run, held_of(holding.pools, parked=holding.parked))

    def share(self, wanting: Wanting) -> float:
        """The largest part of a pool that the run of a task holds, of those that the task needs."""
        return max(
            self._of_run[wanting.run, need.pool] / max(self._capacities.get(need.pool, 0), 1)
            for need in wanting.pools
        )

    def fits(self, pools: Pools) -> bool:
        return all(need.places <= self.free.get(need.pool, 0) for need in pools)

    def give(self, wanting: Wanting) -> None:
        self._add(wanting.run, wanting.pools)
        for need in wanting.pools:
            self.free[need.pool] -= need.places

    def reserve(self, pools: Pools) -> None:
        """Set aside what a task waits for, if those who run now will give back the rest."""
        capacities, kept = self._capacities, self._kept
        if all(need.places <= capacities.get(need.pool, 0) - kept[need.pool] for need in pools):
            for need in pools:
                self.free[need.pool] -= min(need.places, max(self.free[need.pool], 0))

    def _add(self, run: str, pools: Pools) -> None:
        for need in pools:
            self._of_run[run, need.pool] += need.places


class _Queue:
    """Those who wait, in the order of their turn: what a run is given puts its other tasks further back."""

    def __init__(self, shares: _Shares, wanting: Iterable[Wanting]) -> None:
        self._shares = shares
        self._of_run: dict[tuple[bool, str], list[Wanting]] = {}
        for each in sorted(wanting, key=lambda each: (each.since, each.key), reverse=True):
            self._of_run.setdefault((not each.returning, each.run), []).append(each)
        self._heads: list[tuple[bool, float, float, tuple[str, str, int], Wanting]] = []
        for of_run in self._of_run.values():
            self._put(of_run.pop())

    def next(self) -> Wanting | None:
        """Whose turn it is; None if there is nobody any more."""
        while self._heads:
            _, share, *_, wanting = heapq.heappop(self._heads)
            if share < self._share(wanting):
                self._put(wanting)  # its run has been given something meanwhile
                continue
            of_run = self._of_run[not wanting.returning, wanting.run]
            if of_run:
                self._put(of_run.pop())
            return wanting
        return None

    def _put(self, wanting: Wanting) -> None:
        turn = (not wanting.returning, self._share(wanting), wanting.since, wanting.key, wanting)
        heapq.heappush(self._heads, turn)

    def _share(self, wanting: Wanting) -> float:
        return 0.0 if wanting.returning else self._shares.share(wanting)
