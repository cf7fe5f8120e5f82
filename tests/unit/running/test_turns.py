"""Whose turn it is: what is found by reading little is what looking at everybody would find."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from random import Random  # noqa: TID251 (with a seed)

from segue.domain.records import Need, Pools
from segue.domain.running.pooling import Holding, held_of, held_places, share_out
from segue.domain.running.turns import Kind, Listed, Wanting

GPU: Pools = (Need("gpu", 1),)


class Counted(Listed):
    """Those who wait, and how many of them were looked at."""

    def __init__(self, wanting: Collection[Wanting]) -> None:
        super().__init__(wanting)
        self.read = 0

    def of_runs(self, kind: Kind, runs: Collection[str]) -> Mapping[str, Iterator[Wanting]]:
        return {run: self._count(line) for run, line in super().of_runs(kind, runs).items()}

    def of_others(self, kind: Kind, apart: Collection[str]) -> Iterator[Wanting]:
        return self._count(super().of_others(kind, apart))

    def _count(self, line: Iterator[Wanting]) -> Iterator[Wanting]:
        for each in line:
            self.read += 1
            yield each


def one_by_one(
    capacities: Mapping[str, int],
    holdings: list[Holding],
    wanting: list[Wanting],
    limits: dict[str, int],
    suspects: int,
) -> list[Wanting]:
    """The rule as it is told: look at everybody, give or reserve for the first in turn, and look again."""
    held = held_places(holdings)
    kept = held_places(holding for holding in holdings if holding.parked)
    free = {pool: capacity - held[pool] for pool, capacity in capacities.items()}
    mine = Counter[tuple[str, str]]()
    for holding in holdings:
        for need in held_of(holding.pools, parked=holding.parked):
            mine[holding.run, need.pool] += need.places
    left, chosen, room = list(wanting), list[Wanting](), dict(limits)

    def fits(pools: Pools) -> bool:
        return all(need.places <= free[need.pool] for need in pools)

    def reserves(pools: Pools) -> bool:
        return all(need.places <= capacities[need.pool] - kept[need.pool] for need in pools)

    def matters(each: Wanting) -> bool:
        pools = each.kind.pools
        may_be_given = room[each.kind.agent] > 0 and suspects >= each.kind.is_suspect
        return may_be_given and (
            fits(pools) or (reserves(pools) and any(free[need.pool] > 0 for need in pools))
        )

    while left := [each for each in left if matters(each)]:
        oldest = {each.run: each for each in sorted(left, key=lambda each: each.age, reverse=True)}
        each = min(
            oldest.values(),
            key=lambda each: (
                max(mine[each.run, need.pool] / capacities[need.pool] for need in each.kind.pools),
                each.age,
            ),
        )
        left.remove(each)
        given = fits(each.kind.pools)
        for need in each.kind.pools:
            free[need.pool] -= need.places if given else min(need.places, max(free[need.pool], 0))
            mine[each.run, need.pool] += need.places if given else 0
        if given:
            chosen.append(each)
            room[each.kind.agent] -= 1
            suspects -= each.kind.is_suspect
    return chosen


def random_needs(chance: Random, capacities: dict[str, int]) -> Pools:
    """Places in some of the pools."""
    pools = sorted(chance.sample(sorted(capacities), chance.randint(1, len(capacities))))
    return tuple(Need(pool, chance.randint(1, capacities[pool]), chance.random() < 0.3) for pool in pools)


def test_it_is_the_turn_of_whom_the_rule_names() -> None:
    """Many random systems, of several pools, agents, suspects and limits: the same tasks in the same order."""
    chance = Random(11)
    for _ in range(3_000):
        capacities = {pool: chance.randint(1, 5) for pool in "pqr"[: chance.randint(1, 3)]}
        holdings: list[Holding] = []
        for number in range(chance.randint(0, 4)):
            holding = Holding(f"r{number % 3}", random_needs(chance, capacities), chance.random() < 0.4)
            held = held_places([*holdings, holding])
            if all(held[pool] <= capacity for pool, capacity in capacities.items()):
                holdings.append(holding)
        kinds = [
            Kind(chance.choice("ab"), random_needs(chance, capacities), chance.random() < 0.2)
            for _ in range(4)
        ]
        wanting = [
            Wanting(float(chance.randint(0, 8)), f"r{chance.randint(0, 4)}", f"n{number}", -1, kind)
            for number, kind in enumerate(chance.choices(kinds, k=chance.randint(1, 16)))
        ]
        limits, suspects = {"a": chance.randint(0, 4), "b": chance.randint(0, 4)}, chance.randint(0, 2)
        expected = one_by_one(capacities, holdings, wanting, limits, suspects)
        assert share_out(capacities, holdings, [], Listed(wanting), limits, suspects) == expected


def test_of_a_long_line_only_the_first_are_read() -> None:
    """Ten thousand tasks of a run that holds something, or of one that comes to, cost as much as a few."""
    many = [Wanting(float(number), "many", f"n{number}", -1, Kind("a", GPU)) for number in range(10_000)]
    late = [Wanting(20_000.0, f"late{number}", "n", -1, Kind("a", GPU)) for number in range(3)]
    for holdings in ([], [Holding("many", GPU, parked=False)]):
        waiting = Counted([*many, *late])
        chosen = share_out({"gpu": 6}, holdings, [], waiting, {"a": 5}, 0)
        assert {each.run for each in chosen} == {"many", "late0", "late1", "late2"}
        assert waiting.read < 30


def test_what_can_be_given_nothing_is_not_read() -> None:
    """Neither those who wait for a pool that is used up, nor those beyond a limit, nor suspects where none may run."""
    other: Pools = (Need("cpu", 1),)
    kinds = [Kind("a", GPU), Kind("b", other), Kind("a", other, is_suspect=True)]
    waiting = Counted(
        [Wanting(0.0, "r", f"n{number}", -1, kind) for kind in kinds for number in range(1_000)]
    )
    holdings = [Holding("x", GPU, parked=False)]
    assert share_out({"gpu": 1, "cpu": 1}, holdings, [], waiting, {"a": 9, "b": 0}, 0) == []
    assert waiting.read == 0
