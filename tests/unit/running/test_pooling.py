"""Who gets places: never more than there are, the run that holds least first, and nobody is passed for ever."""

from __future__ import annotations

from random import Random  # noqa: TID251 (with a seed)

from segue.domain.records import Need, Pools
from segue.domain.running.pooling import Holding, held_places, share_out
from segue.domain.running.turns import Kind, Listed, Wanting

NO_LIMIT = {"a": 1000}
GPU: Pools = (Need("gpu", 1),)


def wants(run: str, node: str, since: float = 0.0, pools: Pools = GPU) -> Wanting:
    """A task that waits for places."""
    return Wanting(since, run, node, -1, Kind("a", pools))


def given(
    capacities: dict[str, int], holdings: list[Holding], *wanting: Wanting, limit: int = 1000
) -> list[str]:
    """Who gets places."""
    return [each.node for each in share_out(capacities, holdings, [], Listed(wanting), {"a": limit}, 1)]


def test_runs_take_turns() -> None:
    """Each place goes to the run that holds least by then, and within a run to the oldest."""
    many = [wants("r1", f"x{number}", number) for number in range(5)]
    few = [wants("r2", f"y{number}", 10 + number) for number in range(2)]
    assert given({"gpu": 5}, [], *many, *few) == ["x0", "y0", "x1", "y1", "x2"]


def test_what_a_run_holds_already_counts() -> None:
    """A run that holds two places waits until another one has as many."""
    holdings = [Holding("r1", (Need("gpu", 2),), parked=False)]
    assert given({"gpu": 5}, holdings, wants("r1", "x", 0), wants("r2", "y", 9), wants("r2", "z", 10)) == [
        *("y", "z", "x"),
    ]


def test_the_scarcest_pool_decides() -> None:
    """A share is the largest part of a pool that a run holds, of those that the task needs."""
    holdings = [
        Holding("r1", (Need("cpu", 50),), parked=False),
        Holding("r2", (Need("gpu", 1),), parked=False),
    ]
    both: Pools = (Need("cpu", 1), Need("gpu", 1))
    assert given({"cpu": 100, "gpu": 2}, holdings, wants("r1", "x", 9, both), wants("r2", "y", 0, both)) == [
        "y"
    ]


def test_one_that_does_not_fit_reserves() -> None:
    """What is free is kept for it; but other pools are none of its business."""
    holdings = [Holding("r1", (Need("gpu", 1),), parked=False)]
    large = wants("r2", "large", 0, (Need("gpu", 2),))
    other = wants("r4", "other", 2, (Need("cpu", 1),))
    assert given({"gpu": 2, "cpu": 1}, holdings, large, wants("r3", "small", 1), other) == ["other"]


def test_one_that_waits_for_a_kept_place_reserves_nothing() -> None:
    """When it will fit nobody knows, and what the keeper waits for may need just what is free."""
    holdings = [Holding("r1", (Need("gpu", 1, True),), parked=True)]
    large = wants("r2", "large", 0, (Need("gpu", 2),))
    assert given({"gpu": 2}, holdings, large, wants("r3", "small", 1)) == ["small"]


def test_one_that_will_never_fit_is_in_nobodys_way() -> None:
    """A need beyond the capacity, or of a pool that is not there, reserves nothing."""
    large = wants("r1", "large", 0, (Need("gpu", 9),))
    lost = wants("r2", "lost", 0, (Need("tpu", 1),))
    assert given({"gpu": 1}, [], large, lost, wants("r3", "small", 1)) == ["small"]


def test_who_returns_comes_first() -> None:
    """However much his run holds, and however old the others are; and no limit of new tasks holds for him."""
    holdings = [Holding("r1", (Need("cpu", 9), Need("gpu", 1)), parked=False)]
    back = Wanting(99.0, "r1", "back", -1, Kind("", (Need("gpu", 1),)))
    new = Listed([wants("r2", "new", 0)])
    assert share_out({"cpu": 9, "gpu": 2}, holdings, [back], new, {"a": 0}, 1) == [back]
    assert share_out({"cpu": 9, "gpu": 2}, holdings, [back], new, {"a": 1}, 1)[0] == back


def test_who_may_not_be_given_out_reserves_nothing() -> None:
    """A task beyond the limit of its agent, or a suspect too many, keeps no places from others."""
    suspect = Wanting(0.0, "r1", "suspect", -1, Kind("a", GPU, is_suspect=True))
    chosen = share_out({"gpu": 1}, [], [], Listed([suspect, wants("r2", "new", 1)]), NO_LIMIT, suspects=0)
    assert [each.node for each in chosen] == ["new"]


def test_a_pool_that_has_become_smaller_gives_nothing() -> None:
    """Fewer than no places are free, and other pools are not held up by that."""
    holdings = [Holding("r1", (Need("gpu", 3),), parked=False)]
    assert given(
        {"gpu": 2, "cpu": 1}, holdings, wants("r2", "x"), wants("r3", "y", 1, (Need("cpu", 1),))
    ) == ["y"]


def test_random_systems_never_exceed_their_capacity() -> None:
    """Whatever waits and whatever is held; and somebody is given a place where the first in turn fits."""
    chance = Random(7)
    for _ in range(2_000):
        capacities = {pool: chance.randint(1, 4) for pool in "pqr"[: chance.randint(1, 3)]}

        def needs(capacities: dict[str, int] = capacities) -> Pools:
            pools = chance.sample(sorted(capacities), chance.randint(1, len(capacities)))
            return tuple(
                Need(pool, chance.randint(1, capacities[pool]), chance.random() < 0.3)
                for pool in sorted(pools)
            )

        holdings: list[Holding] = []
        for number in range(chance.randint(0, 4)):
            holding = Holding(f"r{number % 2}", needs(), chance.random() < 0.4)
            held = held_places([*holdings, holding])
            if all(held[pool] <= capacity for pool, capacity in capacities.items()):
                holdings.append(holding)
        wanting = [wants(f"r{chance.randint(0, 3)}", f"n{number}", number, needs()) for number in range(6)]
        chosen = share_out(capacities, holdings, [], Listed(wanting), NO_LIMIT, 1)
        held = held_places(
            [*holdings, *(Holding(each.run, each.kind.pools, parked=False) for each in chosen)]
        )
        assert all(held[pool] <= capacity for pool, capacity in capacities.items())
        assert len({each.key for each in chosen}) == len(chosen)
        if not holdings:
            assert chosen
