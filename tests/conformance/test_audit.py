"""The auditor sees what it is there to see: each kind of damage is found, and a sound store is left in peace."""

from collections.abc import Callable

import pytest

from segue.domain.records import Pin
from segue.stores.memory import MemoryArtifacts, MemoryStore
from segue.stores.memory.rows import Run, Task
from segue.testing import Ledger, ManualClock, audit, missing
from segue.testing.conformance.budgets import BudgetConformance
from segue.testing.conformance.desk import Desk
from segue.testing.conformance.pausing import PauseConformance
from segue.testing.conformance.redriving import RedriveConformance
from segue.testing.ledger import Begun, Kept, Obeyed, Remembered, Told
from tests.disk.story import Story

Damage = Callable[[MemoryStore], None]


async def told(worker: str = "w") -> tuple[MemoryStore, MemoryArtifacts, Ledger]:
    """A store on which everything has happened, its artifacts, and what it acknowledged."""
    clock = ManualClock()
    store, artifacts, ledger = MemoryStore(clock), MemoryArtifacts(clock), Ledger()
    await Story(ledger.watch(store), artifacts, clock, worker).play(2)
    return store, artifacts, ledger


def run_of(store: MemoryStore, state: str = "complete") -> Run:
    """The run that ended in this way."""
    return next(run for run in store._state.runs.values() if run.state == state)


def task_of(store: MemoryStore, node: str, item: int = -1) -> Task:
    """A task of the run that is complete."""
    return run_of(store).tasks[node, item]


async def test_a_sound_store_is_left_in_peace() -> None:
    """After runs that were complete, failed and cancelled nothing is wrong, and nothing acknowledged is missing."""
    store, artifacts, ledger = await told()
    assert {run.state for run in store._state.runs.values()} == {"complete", "failed", "cancelled"}
    assert await audit(store, artifacts) == []
    assert {type(fact) for fact in ledger.facts} == {Told, Kept, Remembered, Obeyed, Begun}
    assert await missing(store, ledger.facts) == []


async def test_a_store_in_which_everything_was_tried_again_is_sound() -> None:
    """Runs that were redriven, with tasks that failed, were skipped, or still wait, tell a story that can be."""
    clock = ManualClock()
    store = MemoryStore(clock)
    suite, desk = RedriveConformance(), Desk(store, clock)
    await suite.test_a_redriven_run_goes_on_to_its_end(desk)
    await suite.test_what_still_waits_is_told_for_how_many(desk)
    assert await audit(store, MemoryArtifacts(clock)) == []


async def test_a_store_in_which_deadlines_have_passed_is_sound() -> None:
    """What was taken from its worker for that, and what was paused meanwhile, tell a story that can be."""
    for test in (
        BudgetConformance().test_a_claim_is_revoked_at_the_deadline,
        PauseConformance().test_the_deadline_of_a_paused_task_stands,
        PauseConformance().test_a_paused_task_is_settled_only_while_it_is_too_late,
    ):
        clock = ManualClock()
        store = MemoryStore(clock)
        await test(Desk(store, clock))
        assert await audit(store, MemoryArtifacts(clock)) == []


def lose_event(store: MemoryStore, name: str) -> None:
    """Take an event away, and number the others of its run anew."""
    run = run_of(store).new.run
    events = store._state.log._events
    gone = next(place for place, (_, event) in enumerate(events) if (event.run, event.name) == (run, name))
    number = 0
    del events[gone]
    for place, (position, event) in enumerate(events):
        if event.run == run:
            number += 1
            events[place] = (position, event._replace(sequence=number))


def leave_a_gap(store: MemoryStore) -> None:
    events = store._state.log._events
    events.remove(next(entry for entry in events if entry[1].name == "task.e_agent.progress"))


def change_body(store: MemoryStore) -> None:
    versions = run_of(store).handoffs["a", -1]
    versions[0] = versions[0]._replace(record=versions[0].record._replace(body=b'{"output":"other"}'))


def drop_version(store: MemoryStore) -> None:
    del run_of(store).handoffs["r", -1][0]


def pin_another(store: MemoryStore) -> None:
    task_of(store, "f").pins = (Pin("d", -1, 1, "sha256:" + "0" * 64, "complete"),)


def double(store: MemoryStore) -> None:
    log = store._state.log
    at = next(place for place, (_, event) in enumerate(log._events) if event.name == "task.e_agent.complete")
    event = log._events[at][1]
    run = store._state.runs[event.run]
    log.append(run, event.name, event.task, event.epoch, event.at, event.data)


def end_early(store: MemoryStore) -> None:
    task_of(store, "z").state = "ready"


def move(node: str, **values: object) -> Damage:
    def damage(store: MemoryStore) -> None:
        for name, value in values.items():
            setattr(task_of(store, node), name, value)

    return damage


DAMAGES: dict[str, tuple[Damage, str]] = {
    "a state without its event": (lambda store: lose_event(store, "task.e_agent.complete"), "its events say"),
    "a claim without its event": (lambda store: lose_event(store, "task.e_agent.claimed"), "cannot be"),
    "an end without its event": (lambda store: lose_event(store, "run.complete"), "its last event is"),
    "no beginning": (lambda store: lose_event(store, "run.started"), "does not begin"),
    "a gap in the numbers": (leave_a_gap, "not numbered"),
    "an event twice": (double, "cannot be"),
    "an event without its state": (move("e", state="ready"), "its events say"),
    "an epoch lowered": (move("e", epoch=0), "has epoch 0"),
    "a failed task in a complete run": (move("e", state="failed"), "not what its tasks say"),
    "an open task in an ended run": (end_early, "has not"),
    "a hand-off changed": (change_body, "is damaged"),
    "a version gone": (drop_version, "hand-offs it has"),
    "a version too many": (move("e", version=2), "hand-offs it has"),
    "an input that is not there": (pin_another, "was given version"),
    "a graph gone": (lambda store: store._state.graphs.clear(), "its graph is missing"),
    "a task gone": (lambda store: run_of(store).tasks.pop(("z", -1)) and None, "is not there"),
    "a run gone": (lambda store: store._state.runs.pop(run_of(store).new.run) and None, "is not there"),
}


@pytest.mark.parametrize("name", DAMAGES)
async def test_damage_is_found(name: str) -> None:
    """Each kind of damage is told in words that say what it is."""
    store, artifacts, _ = await told()
    damage, words = DAMAGES[name]
    damage(store)
    problems = await audit(store, artifacts)
    assert any(words in problem for problem in problems), problems


async def test_an_artifact_that_is_gone_is_found() -> None:
    """Without its bytes a pointer is told as what it is."""
    store, _, _ = await told()
    problems = await audit(store, MemoryArtifacts(ManualClock()))
    assert problems
    assert all("points to an artifact that is not there" in problem for problem in problems)


async def test_what_was_acknowledged_is_missed() -> None:
    """Every fact that a store acknowledged is missed by name in one that does not have it."""
    _, _, ledger = await told()
    lost = await missing(MemoryStore(ManualClock()), ledger.facts)
    assert len(lost) == len(ledger.facts) > 50
