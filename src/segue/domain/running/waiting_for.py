"""
Who waits for whom, and who waits in vain: the wait-for graph of all that shares pools, and its reduction.

A task that has not settled may hold places, may want places, and may wait for other tasks. Reduction lets everybody who
can go on go on to the end and give back what he holds, again and again. Who is left then can never go on, whatever the
others do: in that order nobody loses anything, because who settles only ever gives. Looking for cycles would not do:
with several places in a pool a task on a cycle may be served by somebody beside it, and one beside every cycle may wait
for ever. Whatever a person may do at any time (a pause without an end, a review, an effect in doubt) holds nobody up
here: that is waiting, and no deadlock.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from segue.domain.records import Need, Pools, task_name
from segue.domain.running.pooling import Holding, held_places

Key = tuple[str, str, int]
"""A task: its run, node and item."""


class Waiter(NamedTuple):
    """
    A task that has not settled: what it holds until it has, the places that it wants before it goes on, and the tasks
    that must have settled first: all of `after`, or `need` of them. `since` is when it began to hold.
    """

    key: Key
    holds: Pools = ()
    wants: Pools = ()
    after: frozenset[Key] = frozenset()
    need: int | None = None
    since: float = 0.0
    paused: bool = False
    """What it waits for ends its pause."""


def stuck_waiters(capacities: Mapping[str, int], waiters: Iterable[Waiter]) -> dict[Key, Waiter]:
    """Those who can never go on. A task that is awaited and is not among the waiters has settled."""
    return _Reduction(capacities, waiters).left


class _Reduction:
    """Everybody who can go on goes on; `left` are the others."""

    def __init__(self, capacities: Mapping[str, int], waiters: Iterable[Waiter]) -> None:
        self.left = {waiter.key: waiter for waiter in waiters}
        held = held_places(_holding(waiter) for waiter in self.left.values())
        self._free = {pool: capacity - held[pool] for pool, capacity in capacities.items()}
        self._missing: dict[Key, int] = {}
        self._dependents: dict[Key, list[Key]] = {}
        for key, waiter in self.left.items():
            awaited = [each for each in waiter.after if each in self.left]
            there = len(waiter.after) - len(awaited)
            need = len(waiter.after) if waiter.need is None else min(waiter.need, len(waiter.after))
            self._missing[key] = max(need - there, 0)
            for each in awaited:
                self._dependents.setdefault(each, []).append(key)
        self._reduce([key for key in self.left if not self._missing[key]])

    def _reduce(self, ready: list[Key]) -> None:
        """Let those go on who wait for no task any more, as far as there are places for them."""
        for_places: list[Key] = []
        while ready:
            key = ready.pop()
            if not self._fits(key):
                for_places.append(key)
                continue
            waiter = self.left.pop(key)
            for need in waiter.holds:
                self._free[need.pool] = self._free.get(need.pool, 0) + need.places
            for dependent in self._dependents.get(key, ()):
                self._missing[dependent] -= 1
                if not self._missing[dependent]:
                    ready.append(dependent)
            if waiter.holds:
                ready += for_places
                for_places = []

    def _fits(self, key: Key) -> bool:
        return all(need.places <= self._free.get(need.pool, 0) for need in self.left[key].wants)


def _holding(waiter: Waiter) -> Holding:
    return Holding(waiter.key[0], waiter.holds, parked=False)


def circle_of(
    capacities: Mapping[str, int], stuck: Mapping[Key, Waiter], without: Collection[Key] = ()
) -> tuple[Waiter, ...]:
    """
    Some of those who are stuck, but for some, each waiting for the next and the last for the first. Nobody if they only
    wait for places that there will never be.
    """
    held = held_places(_holding(waiter) for waiter in stuck.values())
    free = {pool: capacity - held[pool] for pool, capacity in capacities.items()}
    done: set[Key] = set(without)
    for start in sorted(stuck.keys() - done):
        path = [start]
        ahead = [_obstacles(stuck, stuck[start], free)]
        while path:
            following = next(ahead[-1], None)
            if following is None:
                done.add(path.pop())
                ahead.pop()
            elif following in path:
                circle = path[path.index(following) :]
                first = circle.index(min(circle))  # whoever finds it tells it in the same words
                return tuple(stuck[key] for key in (*circle[first:], *circle[:first]))
            elif following not in done:
                path.append(following)
                ahead.append(_obstacles(stuck, stuck[following], free))
    return ()


def _obstacles(stuck: Mapping[Key, Waiter], waiter: Waiter, free: Mapping[str, int]) -> Iterator[Key]:
    """For whom somebody waits: stuck tasks, and stuck holders of what he lacks."""
    pools = {need.pool for need in waiter.wants if need.places > free.get(need.pool, 0)}
    holders = (
        key
        for key, other in stuck.items()
        if pools and key != waiter.key and any(need.pool in pools for need in other.holds)
    )
    return iter(sorted({*(key for key in waiter.after if key in stuck), *holders}))


def explained(circle: Sequence[Waiter]) -> str:
    """A circle in words, each with what he waits for because of the next: `a holds 1 of gpu and waits for b; ...`."""
    here = circle[0].key[0] if len({each.key[0] for each in circle}) == 1 else None
    pairs = zip(circle, (*circle[1:], circle[0]), strict=True)
    return "; ".join(_told(waiter, following, here) for waiter, following in pairs)


def _told(waiter: Waiter, following: Waiter, here: str | None) -> str:
    holds = " and ".join(map(_places, waiter.holds))
    if following.key in waiter.after:
        waits = f"{'is paused until' if waiter.paused else 'waits for'} {named(following.key, here)}"
    else:
        held = {need.pool for need in following.holds}
        waits = f"waits for {' and '.join(_places(need) for need in waiter.wants if need.pool in held)}"
    return f"{named(waiter.key, here)} {f'holds {holds} and ' if holds else ''}{waits}"


def _places(need: Need) -> str:
    return f"{need.places} of {need.pool}"


def named(key: Key, here: str | None = None) -> str:
    """A task, with its run where that is not the one that is spoken of."""
    task = task_name(key[1], key[2])
    return task if key[0] == here else f"{task} of {key[0]}"
