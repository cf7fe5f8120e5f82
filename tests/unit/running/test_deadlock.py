"""From the rows of a store to the way out of a deadlock."""

from __future__ import annotations

import json
from typing import Any

import pytest

from segue import Later, Pool, Quorum, agent, workflow
from segue.domain.decisions import Untangling
from segue.domain.records import SINGLE, Need, Pools
from segue.domain.rows import PauseRecord, PoolRecord, RunRecord, TaskRecord, Waits
from segue.domain.running.deadlock import DEADLOCKS_MAXIMUM, untangling_of
from segue.domain.running.plan import Plan, compile_plan
from segue.domain.running.waiters import waiters_of
from segue.domain.running.waiting_for import stuck_waiters
from segue.domain.settings.options import OnDeadlock, RunOptions

RUN = "r1"


@agent
async def source(text: str) -> str:
    """Needs nothing."""
    return text


@agent(pool="gpu")
async def small(text: str) -> str:
    """Needs a place."""
    return text


@agent(pools={"gpu": Pool(1, keep=True), "cpu": 1})
async def keeper(text: str, later: Later[str]) -> str:
    """Keeps one place and gives another back."""
    return await later


@agent
async def join(texts: list[str]) -> str:
    """Waits for all."""
    return texts[0]


@agent(on_failure=Quorum(1))
async def either(texts: list[str]) -> str:
    """Waits for one."""
    return texts[0]


@workflow
def circle(text: str) -> list[str]:
    one = small(source(text))
    other = source(text)
    return [keeper(text, one), join([one, other]), either([one, other])]


PLAN = compile_plan(circle.build().graph)


def task(node: str, state: str, item: int = SINGLE, **given: Any) -> TaskRecord:
    """A row."""
    pools: Pools = PLAN.steps[node].node.settings.pools if node in PLAN.steps else ()
    row = TaskRecord(
        RUN,
        node,
        item,
        node,
        state,
        1,
        1,
        0,
        "claim",
        "w",
        (),
        1.0,
        2.0,
        None,
        None,
        pools=pools,  # type: ignore[arg-type]
    )
    return row._replace(**given)


def rows(*others: TaskRecord, **of_keeper: Any) -> list[TaskRecord]:
    """The keeper waits for a task that needs what it keeps."""
    return [
        task("keeper", "claimed", parked=True, awaits=("small",))._replace(**of_keeper),
        task("small", "ready"),
        task("source", "complete"),
        task("source_2", "complete"),
        *others,
    ]


def stuck(tasks: list[TaskRecord], gpu: int = 1) -> set[str]:
    """Which nodes can never go on."""
    return {key[1] for key in stuck_waiters({"gpu": gpu, "cpu": 1}, waiters_of(RUN, PLAN, tasks, {}))}


def test_what_waits_is_read_from_rows_and_plan() -> None:
    """Tasks without a row wait for their parents; a quorum needs only some of them."""
    assert stuck(rows()) == {"keeper", "small", "join"}
    assert stuck(rows(), gpu=2) == set()


def test_what_has_no_row_yet_counts() -> None:
    """A task that is awaited and was never released is stuck if what it needs is."""
    assert stuck([task("keeper", "claimed", parked=True, awaits=("join",)), task("small", "ready")]) == {
        *("keeper", "small", "join"),
    }


def test_who_runs_may_still_end() -> None:
    """A claim that is not parked gives its places back some time."""
    assert stuck(rows(parked=False, awaits=())) == set()


def test_who_has_what_he_awaited_may_go_on() -> None:
    """If his other places are free; and he is stuck if they are kept by somebody who waits for him."""
    assert stuck([task("keeper", "claimed", parked=True, wants=True)]) == set()
    other = task("join", "claimed", parked=True, awaits=("keeper",), pools=(Need("cpu", 1, True),))
    assert stuck([task("keeper", "claimed", parked=True, wants=True), other]) == {"keeper", "join", "small"}


@pytest.mark.parametrize("state", ["needs_review", "in_doubt"])
def test_a_person_may_act_at_any_time(state: str) -> None:
    """A task that waits for a person's word holds nobody up for ever."""
    tasks = [task("keeper", "claimed", parked=True, awaits=("source_2",)), task("source_2", state)]
    assert stuck(tasks) == set()


def test_the_tasks_of_a_list_stand_for_it() -> None:
    """Who awaits a mapped node waits for those of its tasks that are open, once it has them."""

    @agent(pools={"gpu": Pool(1, keep=True)})
    async def collector(later: Later[list[str]]) -> str:
        return (await later)[0]

    @workflow
    def mapped(texts: list[str]) -> str:
        return collector(small.map(texts))

    plan = compile_plan(mapped.build().graph)
    kept = plan.steps["collector"].pools
    waits = task("collector", "claimed", parked=True, awaits=("small",), pools=kept)
    whole = task("small", "expanded", pools=())
    open_item = task("small", "ready", 1, pools=plan.steps["small"].node.settings.pools)
    over = open_item._replace(item=0, state="complete")

    def names(*tasks: TaskRecord) -> set[tuple[str, int]]:
        return {key[1:] for key in stuck_waiters({"gpu": 1}, waiters_of(RUN, plan, tasks, {}))}

    assert names(waits) == set()
    assert names(waits, whole, over, open_item) == {("collector", SINGLE), ("small", 1)}
    assert names(waits, whole, over, open_item._replace(state="failed")) == set()


def test_a_pause_that_ends_with_a_task_is_waited_for() -> None:
    """A task that is paused until another has settled waits for it; one that is paused by a person does not."""
    until = {("small", SINGLE): ("keeper", SINGLE)}
    tasks = rows()
    tasks[1] = task("small", "paused", pools=())
    assert {each.key[1] for each in waiters_of(RUN, PLAN, tasks, until) if each.paused} == {"small"}
    assert set(stuck_waiters({"gpu": 1, "cpu": 1}, waiters_of(RUN, PLAN, tasks, until))) >= {
        (RUN, "keeper", SINGLE),
        (RUN, "small", SINGLE),
    }
    assert stuck(tasks) == set()


def test_a_paused_run_waits_but_for_what_ends_its_pause() -> None:
    """All its tasks wait for that one, and it waits for none of them."""
    pauses = {("", SINGLE): ("source_2", SINGLE)}
    tasks = [task("source", "paused"), task("source_2", "ready")]
    assert stuck_waiters({"gpu": 1, "cpu": 1}, waiters_of(RUN, PLAN, tasks, pauses)) == {}
    pauses = {("", SINGLE): ("small", SINGLE)}
    stopped = stuck_waiters({"gpu": 1, "cpu": 1}, waiters_of(RUN, PLAN, tasks, pauses))
    assert {key[1] for key in stopped} >= {"source", "small"}


# --- the way out -------------------------------------------------------------------------------------


def untangled(
    *, policy: OnDeadlock = "break", deadlocks: int = 0, told: tuple[str, ...] = ()
) -> Untangling | None:
    """What is done about the circle."""
    record = RunRecord(RUN, None, "circle", "running", "", "{}", "{}", 0.0, None)
    pools = (PoolRecord("cpu", 1, 0, 0), PoolRecord("gpu", 1, 1, 1))
    waits = Waits(pools, (record,), tuple(rows(deadlocks=deadlocks)))
    plans: dict[str, Plan] = {RUN: PLAN}
    return untangling_of(waits, plans, {RUN: RunOptions(on_deadlock=policy)}, 100.0, told)


def test_the_keeper_is_tried_again_after_a_while() -> None:
    """Its claim is revoked, and it waits twice as long each time."""
    for deadlocks, delay_seconds in ((0, 1.0), (1, 2.0), (2, 4.0)):
        found = untangled(deadlocks=deadlocks)
        assert found is not None
        assert found.settlement is not None
        assert (found.settlement.ending, found.settlement.not_before) == ("deadlocked", delay_seconds)
        assert found.settlement.token[:3] == (RUN, "keeper", SINGLE)


def test_a_task_is_given_up_after_three_deadlocks() -> None:
    """It fails and says why, and its dependents and its run are told as with any failure."""
    found = untangled(deadlocks=DEADLOCKS_MAXIMUM)
    assert found is not None
    assert found.settlement is not None
    assert found.settlement.ending == "failed"
    assert found.settlement.run_resolved == 1
    assert "after 3 times before: keeper holds 1 of gpu" in (found.settlement.data or "")
    assert found.settlement.handoff is not None
    assert found.settlement.handoff.status == "failed"


def test_the_policy_of_its_run_decides() -> None:
    """It fails at once, or nothing is done."""
    failed, reported = untangled(policy="fail"), untangled(policy="report")
    assert failed is not None
    assert failed.settlement is not None
    assert failed.settlement.ending == "failed"
    assert reported is not None
    assert reported.settlement is None
    assert json.loads(reported.data)["then"] == "reported"


def test_what_was_told_is_left_alone() -> None:
    """A deadlock whose victim is left to somebody else is not found again."""
    assert untangled(told=("claim",)) is None


def test_the_data_names_the_circle() -> None:
    """Who holds what and waits for whom, for programs and in words."""
    found = untangled()
    assert found is not None
    data = json.loads(found.data)
    assert data["words"] == "keeper holds 1 of gpu and waits for small; small waits for 1 of gpu"
    assert data["circle"][0] == {
        "run": RUN,
        "task": "keeper",
        "holds": {"gpu": 1},
        "wants": {"cpu": 1},
        "waits_for": [{"run": RUN, "task": "small"}],
    }
    assert (data["victim"], data["then"]) == ({"run": RUN, "task": "keeper"}, "deadlocked")
    assert found.runs == (RUN,)


def paused(
    policy: OnDeadlock = "break", told: tuple[str, ...] = (), node: str = "source"
) -> Untangling | None:
    """What is done about a task, or a run, that is paused until what waits for it has settled."""
    record = RunRecord(RUN, None, "circle", "running", "", "{}", "{}", 0.0, None)
    pause = PauseRecord(RUN, node, SINGLE, ("join", SINGLE), "{}", 5.0)
    waits = Waits(
        (PoolRecord("cpu", 1, 0, 0), PoolRecord("gpu", 1, 0, 0)),
        (record,),
        (task("source", "paused"),),
        (pause,),
    )
    return untangling_of(waits, {RUN: PLAN}, {RUN: RunOptions(on_deadlock=policy)}, 100.0, told)


def test_a_pause_that_waits_for_itself_ends() -> None:
    """A task that is paused until one has settled that needs it would be for ever: the pause ends, and says why."""
    found = paused()
    assert found is not None
    assert found.control is not None
    assert (found.control.kind, [each[:2] for each in found.control.targets]) == (
        "resume",
        [("source", SINGLE)],
    )
    words = json.loads(found.data)["words"]
    assert words == "join waits for small; small waits for source; source is paused until join"
    assert words in found.control.data
    assert (found.victim, found.settlement) == (None, None)
    assert paused(told=(found.id,)) is None


def test_a_paused_run_that_waits_for_itself_goes_on() -> None:
    """The whole run is resumed: what ends its pause cannot come about without its other tasks."""
    found = paused(node="")
    assert found is not None
    assert found.control is not None
    assert found.control.targets == ()
    assert json.loads(found.data)["victim"] == {"run": RUN}


def test_a_pause_may_be_only_reported() -> None:
    """With the policy `report` nobody ends it."""
    found = paused("report")
    assert found is not None
    assert found.control is None
    assert json.loads(found.data)["then"] == "reported"
