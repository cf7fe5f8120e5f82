"""The suite sees what goes wrong with steps and effects: each planted fault fails the test that names it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from segue.ports.store import Store
from segue.stores.memory import MemoryStore, remembering
from segue.stores.memory.remembering import Remembering
from segue.stores.memory.rows import Task
from segue.testing import ManualClock
from tests.conformance.planting import Patch, fault, outcome, plant_in_sql, sqlite

__all__ = ["sqlite"]


def unfenced(original: Any) -> Any:
    return lambda self, token: True


def of_any_epoch(original: Any) -> Any:
    def answers(self: Task, token: Any) -> bool:
        return self.state in {"claimed", "ready"} and self.claim is not None

    return answers


def told_later(original: Any) -> Any:
    async def record(self: Remembering, token: Any, steps: Any) -> Any:
        tell = self._state.tell_task
        loop = asyncio.get_running_loop()
        self._state.tell_task = lambda *args: loop.call_soon(tell, *args)  # type: ignore[method-assign,assignment]
        try:
            return await original(self, token, steps)
        finally:
            self._state.tell_task = tell  # type: ignore[method-assign]

    return record


def one_by_one(original: Any) -> Any:
    async def record(self: Remembering, token: Any, steps: Any) -> Any:
        return [await original(self, token, [step]) for step in steps][-1]

    return record


def over_anything(original: Any) -> Any:
    return lambda written, step: True


def outcome_alone(original: Any) -> Any:
    return lambda written, step: written is None or original(written, step)


def begun_over_a_doubt(original: Any) -> Any:
    return lambda written, step: step.state == "begun" or original(written, step)


def repeats_forgotten(original: Any) -> Any:
    return lambda *args: False


def back_at_once(original: Any) -> Any:
    def go_on(self: Remembering, run: Any, task: Task) -> None:
        for name, written in run.steps[task.node, task.item].items():
            run.steps[task.node, task.item][name] = written._replace(
                record=written.record._replace(state="done")
            )
        original(self, run, task)

    return go_on


def forgotten_artifacts(original: Any) -> Any:
    async def references(self: MemoryStore) -> Any:
        for run in self._state.runs.values():
            run.steps.clear()
        return await original(self)

    return references


MODEL_FAULTS: dict[str, tuple[Patch, list[str]]] = {
    "an unfenced step": (
        fault(Task, "answers", unfenced),
        ["test_a_superseded_attempt_records_nothing", "test_nobody_works_on_a_task_in_doubt"],
    ),
    "a step of a superseded attempt": (
        fault(Task, "answers", of_any_epoch),
        ["test_a_superseded_attempt_records_nothing"],
    ),
    "an event outside the transaction": (
        fault(Remembering, "record", told_later),
        ["test_each_record_is_an_event_of_its_transaction"],
    ),
    "half a call": (
        fault(Remembering, "record", one_by_one),
        ["test_records_are_written_together_or_not_at_all"],
    ),
    "a step overwritten": (
        fault(remembering, "_may_follow", over_anything),
        ["test_a_step_is_never_changed"],
    ),
    "an outcome without its intent": (
        fault(remembering, "_may_follow", outcome_alone),
        ["test_an_outcome_needs_its_intent"],
    ),
    "a doubt cleared by a later intent": (
        fault(remembering, "_may_follow", begun_over_a_doubt),
        ["test_a_doubt_is_not_cleared_by_a_later_intent"],
    ),
    "a repetition not recognised": (
        fault(remembering, "_stands", repeats_forgotten),
        ["test_repeating_a_record_is_safe"],
    ),
    "a task that goes on in doubt": (
        fault(Remembering, "_go_on", back_at_once),
        ["test_every_doubt_of_a_task_is_resolved_before_it_goes_on"],
    ),
    "artifacts of steps forgotten": (
        fault(MemoryStore, "artifact_references", forgotten_artifacts),
        ["test_artifacts_of_steps_are_kept_until_their_run_is_pruned"],
    ),
}


@pytest.mark.parametrize("name", MODEL_FAULTS)
async def test_a_fault_of_the_model_is_seen(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each test that is named for a fault passes on the model, and fails once the fault is planted."""
    plant, tests = MODEL_FAULTS[name]
    assert [await outcome(test, MemoryStore) for test in tests] == [None] * len(tests)
    plant(monkeypatch)
    assert [test for test in tests if await outcome(test, MemoryStore) is None] == []


SQL_FAULTS: dict[str, tuple[str, str, str, list[str]]] = {
    "no epoch check": (
        "record_step",
        "AND epoch = ?4 ",
        "AND ?4 > 0 ",
        ["test_a_superseded_attempt_records_nothing"],
    ),
    "no claim check": (
        "record_step",
        "AND claim = ?5 ",
        "AND ?5 <> '' ",
        ["test_a_superseded_attempt_records_nothing"],
    ),
    "written after the end": (
        "record_step",
        "AND (state IN ('claimed', 'ready') OR state = 'paused')",
        "",
        ["test_an_attempt_that_has_ended_records_nothing"],
    ),
    "late records refused": (
        "record_step",
        "(state IN ('claimed', 'ready') OR state = 'paused')",
        "state = 'claimed'",
        ["test_a_late_record_that_nobody_superseded_is_accepted"],
    ),
    "an outcome without its intent": (
        "record_step",
        "?8 = 'begun'\n",
        "?8 <> ''\n",
        ["test_an_outcome_needs_its_intent"],
    ),
    "a step overwritten": (
        "record_step",
        "WHERE kind = 'effect' AND excluded.kind = 'effect' AND state",
        "WHERE kind = 'step' OR state",
        ["test_a_step_is_never_changed"],
    ),
    "a doubt cleared by a later intent": (
        "record_step",
        "iif(excluded.state = 'begun', 'withdrawn', 'begun')",
        "'begun'",
        ["test_a_doubt_is_not_cleared_by_a_later_intent"],
    ),
    "decided over the head of an attempt": (
        "resolve_step",
        "NOT IN ('waiting', 'ready', 'claimed', 'paused')",
        "NOT IN ('waiting')",
        ["test_only_what_is_in_doubt_can_be_resolved"],
    ),
    "decided twice": (
        "resolve_step",
        "AND state = 'begun'",
        "",
        ["test_only_what_is_in_doubt_can_be_resolved", "test_of_two_words_one_counts"],
    ),
    "a task that goes on in doubt": (
        "return_resolved",
        "step.state = 'begun'",
        "0",
        ["test_every_doubt_of_a_task_is_resolved_before_it_goes_on"],
    ),
    "a loss counted for a person's word": (
        "return_resolved",
        "claim = NULL, due",
        "claim = 'no', due",
        ["test_a_persons_word_lets_the_task_go_on"],
    ),
    "steps left behind": (
        "prune_step",
        "WHERE run = ?",
        "WHERE run = ? AND 0",
        ["test_artifacts_of_steps_are_kept_until_their_run_is_pruned"],
    ),
}


@pytest.mark.parametrize("name", SQL_FAULTS)
async def test_a_fault_in_a_statement_is_seen(
    name: str, sqlite: Callable[[ManualClock], Store], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each statement does what its test says: without a part of it the test fails."""
    statement, part, instead, tests = SQL_FAULTS[name]
    assert [await outcome(test, sqlite) for test in tests] == [None] * len(tests)
    plant_in_sql({statement: (part, instead)}, monkeypatch)
    assert [test for test in tests if await outcome(test, sqlite) is None] == []
