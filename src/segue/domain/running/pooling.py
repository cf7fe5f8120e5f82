"""
Who gets places in pools: all that a task needs or none of it, and no run starves another.

Held places are never counted: they follow from what is claimed. Whoever waited in the middle of his attempt comes
first, then the run that holds the least, then the oldest task; within a run it is the oldest. A task that does not fit
reserves what it waits for, so that smaller ones do not pass it for ever; but only if it will fit when those who run now
have ended. Places that somebody keeps while he waits come back nobody knows when, and what he waits for may need those
that are free. A task that can neither be given nor reserve anything any more is passed over, and all that are like it:
they may be many, and are not even read.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from segue.domain.records import Need, Pools
from segue.domain.rows import PoolRecord
from segue.domain.running.turns import Kind, Turns, Waiting, Wanting
from segue.errors import PoolTooSmall


class Holding(NamedTuple):
    """A claim that needs pools: of which run, and whether it waits in the middle of its attempt."""

    run: str
    pools: Pools
    parked: bool


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
    returning: Sequence[Wanting],
    waiting: Waiting,
    limits: Mapping[str, int],
    suspects: int,
) -> list[Wanting]:
    """
    Who of those that wait gets places now, in the order in which they are given.

    `returning` have their claims already and only want back what they have given away meanwhile. `limits` says how many
    tasks of an agent may be given out at all, and `suspects` how many suspects: whoever is beyond them gets nothing and
    reserves nothing. For those that are returning there is no limit.
    """
    shares = _Shares(capacities, holdings)
    room, back, chosen = dict(limits), set(returning), list[Wanting]()

    def is_open(kind: Kind) -> bool:
        return room.get(kind.agent, 0) > 0 and suspects >= kind.is_suspect and shares.matters(kind.pools)

    turns = Turns(returning, waiting, {holding.run for holding in holdings}, shares.share, is_open)
    while (each := turns.next()) is not None:
        if not shares.fits(each.kind.pools):
            shares.reserve(each.kind.pools)
            continue
        shares.give(each)
        chosen.append(each)
        if each not in back:
            room[each.kind.agent] -= 1
            suspects -= each.kind.is_suspect
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

    def share(self, run: str, pools: Pools) -> float:
        """The largest part of a pool that a run holds, of those that a task needs."""
        return max(
            self._of_run[run, need.pool] / max(self._capacities.get(need.pool, 0), 1) for need in pools
        )

    def matters(self, pools: Pools) -> bool:
        """Whether a task that needs them would get them, or reserve anything."""
        return self.fits(pools) or (
            self._will_fit(pools) and any(self.free.get(need.pool, 0) > 0 for need in pools)
        )

    def fits(self, pools: Pools) -> bool:
        return all(need.places <= self.free.get(need.pool, 0) for need in pools)

    def give(self, wanting: Wanting) -> None:
        self._add(wanting.run, wanting.kind.pools)
        for need in wanting.kind.pools:
            self.free[need.pool] -= need.places

    def reserve(self, pools: Pools) -> None:
        """Set aside what a task waits for, if those who run now will give back the rest."""
        if self._will_fit(pools):
            for need in pools:
                self.free[need.pool] -= min(need.places, max(self.free[need.pool], 0))

    def _will_fit(self, pools: Pools) -> bool:
        capacities, kept = self._capacities, self._kept
        return all(need.places <= capacities.get(need.pool, 0) - kept[need.pool] for need in pools)

    def _add(self, run: str, pools: Pools) -> None:
        for need in pools:
            self._of_run[run, need.pool] += need.places
