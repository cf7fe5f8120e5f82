"""A tenth of all agents fail for ever: whatever joins make of that, nobody who does not depend on them is touched."""

from __future__ import annotations

from collections.abc import Mapping
from random import Random  # noqa: TID251 - with a seed
from typing import Any, NamedTuple

import pytest

from segue import Quorum, RunFailed, Segue, agent, workflow

LAYERS, WIDTH, ITEMS = 8, 10, 20


class Tangle(NamedTuple):
    """A hundred tasks: layers that take from those above, each task known by its number, and a mapped node beside."""

    parents: Mapping[int, tuple[int, ...]]
    failing: frozenset[int]

    def ancestors(self, number: int) -> frozenset[int]:
        """All that a task depends on, and the task."""
        above = (self.ancestors(parent) for parent in self.parents.get(number, ()))
        return frozenset({number}).union(*above)


def tangle(seed: int) -> Tangle:
    """A tangle of its own for each seed, with a tenth of it failing."""
    chance, parents = Random(seed), dict[int, tuple[int, ...]]()
    for number in range(LAYERS * WIDTH):
        above = range(max(0, (number // WIDTH - 2) * WIDTH), number // WIDTH * WIDTH)
        parents[number] = tuple(sorted(chance.sample(above, chance.randint(1, 3)))) if above else ()
    every = range(LAYERS * WIDTH + ITEMS)
    return Tangle(parents, frozenset(chance.sample(every, len(every) // 10)))


def policy_of(policy: Any, parents: tuple[int, ...]) -> Any:
    """The policy of a join; one of two cannot be asked of a task that has one parent."""
    return "skip" if isinstance(policy, Quorum) and len(parents) < policy.count else policy


def expected(tangled: Tangle, policy: Any) -> dict[int, str]:
    """How each task of the layers must end, told from the policy of the joins alone."""
    states: dict[int, str] = {}
    for number, parents in tangled.parents.items():
        there = sum(states[parent] == "complete" for parent in parents)
        wanted = min(2, len(parents)) if isinstance(policy, Quorum) else len(parents)
        if policy != "proceed" and there < wanted:
            states[number] = "skipped" if policy_of(policy, parents) == "skip" else "failed"
        else:
            states[number] = "failed" if number in tangled.failing else "complete"
    return states


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("policy", ["skip", "fail", "proceed", Quorum(2)], ids=str)
async def test_who_does_not_depend_on_a_failure_is_complete(segue: Segue, policy: Any, seed: int) -> None:
    """Each of a hundred tasks ends as its policy says, and those without a failed ancestor end complete."""
    tangled = tangle(seed)
    made: dict[int, list[int]] = {}

    @agent(retries=1, backoff=None)
    async def work(number: int, received: list[int]) -> int:
        if number in tangled.failing:
            raise ConnectionError(f"{number} fails for ever")
        made[number] = received
        return number

    @agent(on_failure="proceed")
    async def gather(received: list[int]) -> int:
        return len(received)

    @workflow
    def tangle_of(items: list[int]) -> int:
        calls: list[Any] = []
        for number, parents in tangled.parents.items():
            joining = work.with_(on_failure=policy_of(policy, parents))
            calls.append(joining(number, [calls[parent] for parent in parents]))
        return gather(work.map(number=items, received=[]))

    handle = await segue.submit(tangle_of, list(range(LAYERS * WIDTH, LAYERS * WIDTH + ITEMS)))
    try:
        assert await handle.result() == ITEMS - len([n for n in tangled.failing if n >= LAYERS * WIDTH])
    except RunFailed as error:
        failures = error.failures
    else:
        failures = {}
    tasks = await segue.host.store.read_tasks(handle.run)
    names = {f"work_{number + 1}" if number else "work": number for number in tangled.parents}
    states = {names[task.node]: task.state for task in tasks if task.node in names}
    assert states == expected(tangled, policy)
    items = {task.item: task.state for task in tasks if task.node not in names and task.item >= 0}
    assert items == {
        item: "failed" if LAYERS * WIDTH + item in tangled.failing else "complete" for item in range(ITEMS)
    }
    untouched = [number for number in states if tangled.failing.isdisjoint(tangled.ancestors(number))]
    assert len(untouched) > WIDTH / 2
    assert all(states[number] == "complete" for number in untouched)
    for number, received in made.items():
        there = [parent for parent in tangled.parents.get(number, ()) if states[parent] == "complete"]
        assert received == there if policy != Quorum(2) else set(received) <= set(there)
    assert all(states.get(names.get(name, -1)) == "failed" for name in failures)
    assert (await handle.state() == "failed") == bool(failures)
