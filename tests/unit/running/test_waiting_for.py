"""Who waits in vain: reduction names all of those and nobody else, and what it names is a circle."""

from __future__ import annotations

from itertools import count
from random import Random  # noqa: TID251 (with a seed)

from segue.domain.records import Need, Pools
from segue.domain.running.waiting_for import (
    Key,
    Waiter,
    circle_of,
    explained,
    stuck_waiters,
)

SYSTEMS = 10_000


def key(name: str, run: str = "r") -> Key:
    """A task by a short name."""
    return (run, name, -1)


def places(**needs: int) -> Pools:
    """Places by pool."""
    return tuple(Need(pool, number) for pool, number in sorted(needs.items()))


def test_three_in_a_circle_over_a_pool_a_task_and_a_pause() -> None:
    """Each is held up by the next in another way: all three are named, in their order, in words."""
    waiters = [
        Waiter(key("a"), places(gpu=1), (), frozenset({key("b")})),
        Waiter(key("b"), (), (), frozenset({key("c")}), paused=True),
        Waiter(key("c"), (), places(gpu=1)),
        Waiter(key("d"), (), places(cpu=1)),
    ]
    stuck = stuck_waiters({"gpu": 1, "cpu": 1}, waiters)
    assert set(stuck) == {key("a"), key("b"), key("c")}
    circle = circle_of({"gpu": 1, "cpu": 1}, stuck)
    assert explained(circle) == (
        "a holds 1 of gpu and waits for b; b is paused until c; c waits for 1 of gpu"
    )


def test_who_stands_beside_a_circle_is_stuck_and_no_part_of_it() -> None:
    """A task that waits for a circle can never go on either, and breaking the circle lets it."""
    waiters = [
        Waiter(key("a"), places(gpu=1), (), frozenset({key("b")})),
        Waiter(key("b"), (), places(gpu=1)),
        Waiter(key("beside"), (), (), frozenset({key("b")})),
    ]
    stuck = stuck_waiters({"gpu": 1}, waiters)
    assert key("beside") in stuck
    assert [each.key for each in circle_of({"gpu": 1}, stuck)] == [key("a"), key("b")]


def test_a_circle_with_a_way_out_is_none() -> None:
    """Where somebody outside holds a second place that he will give back, nobody on the circle is stuck."""
    waiters = [
        Waiter(key("a"), places(gpu=1), (), frozenset({key("b")})),
        Waiter(key("b"), (), places(gpu=1)),
        Waiter(key("runs"), places(gpu=1)),
    ]
    assert stuck_waiters({"gpu": 2}, waiters) == {}


def test_places_that_there_will_never_be_are_no_circle() -> None:
    """A task that needs more than a pool has is stuck, and there is nobody to blame."""
    stuck = stuck_waiters({"gpu": 1}, [Waiter(key("a"), (), places(gpu=2))])
    assert set(stuck) == {key("a")}
    assert circle_of({"gpu": 1}, stuck) == ()


def test_a_quorum_needs_only_some() -> None:
    """A task that needs one of two goes on with the one that is not stuck."""
    waiters = [
        Waiter(key("a"), places(gpu=1), (), frozenset({key("b")})),
        Waiter(key("b"), (), places(gpu=1)),
        Waiter(key("c")),
        Waiter(key("one"), (), (), frozenset({key("b"), key("c")}), need=1),
        Waiter(key("both"), (), (), frozenset({key("b"), key("c")}), need=2),
    ]
    assert set(stuck_waiters({"gpu": 1}, waiters)) == {key("a"), key("b"), key("both")}


def test_runs_are_named_where_there_are_several() -> None:
    """A circle over two runs says which task belongs to which."""
    waiters = [
        Waiter(key("a", "r1"), places(x=1), places(y=1)),
        Waiter(key("a", "r2"), places(y=1), places(x=1)),
    ]
    circle = circle_of({"x": 1, "y": 1}, stuck_waiters({"x": 1, "y": 1}, waiters))
    assert explained(circle) == (
        "a of r1 holds 1 of x and waits for 1 of y; a of r2 holds 1 of y and waits for 1 of x"
    )


def test_a_hundred_thousand_in_a_chain_are_reduced_quickly() -> None:
    """The work grows with what there is, and not with its square: else this would not end."""
    chain = [
        Waiter(key(f"{number}"), (), (), frozenset({key(f"{number + 1}")} if number < 99_999 else ()))
        for number in range(100_000)
    ]
    assert stuck_waiters({}, chain) == {}


# --- against exhaustive search -----------------------------------------------------------------------

PAUSED, AWAITS, WANTS, RUNS, OVER = range(5)


class World:
    """
    A random system, played step by step: a task is paused until another is over, then awaits others, then takes its
    places all at once, runs, and gives everything back. Which task takes its next step when is left open.
    """

    def __init__(self, chance: Random) -> None:
        self.count = chance.randint(2, 5)
        self.capacity = [chance.randint(1, 3) for _ in range(chance.randint(1, 3))]
        free = list(self.capacity)
        self.holds: list[list[int]] = []
        self.wants: list[list[int]] = []
        self.until: list[int | None] = []
        self.awaits: list[set[int]] = []
        for task in range(self.count):
            held = [chance.randint(0, each) if chance.random() < 0.5 else 0 for each in free]
            free = [each - taken for each, taken in zip(free, held, strict=True)]
            self.holds.append(held)
            self.wants.append(
                [
                    chance.randint(0, whole - taken) if chance.random() < 0.5 else 0
                    for whole, taken in zip(self.capacity, held, strict=True)
                ]
            )
            others = [other for other in range(self.count) if other != task]
            self.until.append(chance.choice(others) if chance.random() < 0.25 else None)
            self.awaits.append(set(chance.sample(others, 1)) if chance.random() < 0.35 else set())

    def who_can_end(self) -> set[int]:
        """Every order of steps is tried: the tasks that are over in some of the states that can be reached."""
        over: set[int] = set()
        seen: set[tuple[int, ...]] = set()
        states = [(PAUSED,) * self.count]
        while states:
            state = states.pop()
            if state not in seen:
                seen.add(state)
                over |= {task for task, phase in enumerate(state) if phase == OVER}
                states += [
                    (*state[:task], state[task] + 1, *state[task + 1 :])
                    for task in range(self.count)
                    if self._may_step(state, task)
                ]
        return over

    def _may_step(self, state: tuple[int, ...], task: int) -> bool:
        match state[task]:
            case 0:
                until = self.until[task]
                return until is None or state[until] == OVER
            case 1:
                return all(state[other] == OVER for other in self.awaits[task])
            case 2:
                return all(wanted <= self._free(state, pool) for pool, wanted in enumerate(self.wants[task]))
            case 3:
                return True
        return False

    def _free(self, state: tuple[int, ...], pool: int) -> int:
        return self.capacity[pool] - sum(
            self.holds[task][pool] + (self.wants[task][pool] if phase == RUNS else 0)
            for task, phase in enumerate(state)
            if phase != OVER
        )

    def waiters(self) -> list[Waiter]:
        """The same system as a wait-for graph."""
        return [
            Waiter(
                key(f"t{task}"),
                places(**{f"p{pool}": number for pool, number in enumerate(self.holds[task]) if number}),
                places(**{f"p{pool}": number for pool, number in enumerate(self.wants[task]) if number}),
                frozenset(
                    key(f"t{other}")
                    for other in {
                        *self.awaits[task],
                        *([] if self.until[task] is None else [self.until[task]]),
                    }
                ),
            )
            for task in range(self.count)
        ]


def test_reduction_agrees_with_exhaustive_search() -> None:
    """
    On 10,000 random systems of pools, waits and pauses: no innocent is named and nobody who is stuck is missed; and
    whoever is stuck is so because of a circle among those who are.
    """
    chance, deadlocked = Random(4), 0
    numbers = count()
    while next(numbers) < SYSTEMS:
        world = World(chance)
        capacities = {f"p{pool}": capacity for pool, capacity in enumerate(world.capacity)}
        stuck = stuck_waiters(capacities, world.waiters())
        can_end = {key(f"t{task}") for task in world.who_can_end()}
        assert set(stuck) == {key(f"t{task}") for task in range(world.count)} - can_end
        circle = circle_of(capacities, stuck)
        assert bool(circle) == bool(stuck)
        assert {each.key for each in circle} <= set(stuck)
        deadlocked += bool(stuck)
    assert 1_000 < deadlocked < 9_000
