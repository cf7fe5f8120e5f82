"""What becomes of failures in runs: tries, fallbacks, tasks given up, and joins that do without."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from segue import (
    DoNotRetry,
    Handoff,
    Quorum,
    Retry,
    RetryLater,
    RunFailed,
    Segue,
    agent,
    ctx,
    workflow,
)
from segue.app.reading import read_view
from segue.domain.records import ClaimRequest
from segue.domain.rows import TaskRecord
from segue.stores.urls import open_store
from segue.testing import ManualClock
from tests.engine.turning import turning


async def tasks_of(segue: Segue, run: str) -> dict[str, TaskRecord]:
    """The tasks of a run as the store has them; items by their number after the node."""
    tasks = await segue.host.store.read_tasks(run)
    return {task.node if task.item < 0 else f"{task.node}{task.item}": task for task in tasks}


async def states_of(segue: Segue, run: str) -> dict[str, str]:
    """How the tasks of a run stand."""
    return {name: task.state for name, task in (await tasks_of(segue, run)).items()}


@agent
async def broken(text: str) -> str:
    """Fail for good."""
    raise ValueError("it is broken")


@agent
async def good(text: str) -> str:
    """Hand something over."""
    return f"good {text}"


@agent
async def slow(text: str) -> str:
    """Hand something over when everybody else has: a minute later."""
    return text


# --- another try ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("error", "seconds"),
    [
        (RetryLater("30s"), 30.0),
        (ConnectionError("busy"), 2.0),
        (RetryLater("100ms"), 2.0),
        ("Retry-After", 45.0),
    ],
)
async def test_a_try_waits_for_what_policy_and_error_ask(error: Exception | str, seconds: float) -> None:
    """The next attempt starts after the longer of the policy's wait and that of the error, whoever raised it."""
    clock = ManualClock()
    times: list[float] = []

    class Busy(Exception):
        response = SimpleNamespace(status_code=429, headers={"Retry-After": "45"})

    @agent(retries=Retry(1, backoff="2s", jitter=0))
    async def flaky(text: str) -> str:
        times.append(clock.boot())
        if ctx.attempt == 1:
            raise Busy if isinstance(error, str) else error
        return text

    @workflow
    def once(text: str) -> str:
        return flaky(text)

    async with Segue("memory:", clock=clock) as segue:
        assert await turning(clock, segue.run(once, "x")) == "x"
    assert times[1] - times[0] == pytest.approx(seconds)


@pytest.mark.parametrize(
    ("error", "attempts"),
    [
        (ValueError("no"), 1),
        (DoNotRetry("no such customer"), 1),
        (KeyError("no"), 1),
        (TimeoutError("slow"), 3),
        (ConnectionResetError("line"), 3),
    ],
)
async def test_only_errors_that_another_try_may_mend_are_tried_again(error: Exception, attempts: int) -> None:
    """Terminal errors, and those that the policy does not name, end the task with their first attempt."""
    made = 0

    @agent(
        retries=Retry(
            2, backoff=None, on=("TimeoutError", ConnectionError, ValueError), terminal=(ValueError,)
        )
    )
    async def flaky(text: str) -> str:
        nonlocal made
        made += 1
        raise error

    @workflow
    def once(text: str) -> str:
        return flaky(text)

    async with Segue("memory:") as segue:
        with pytest.raises(RunFailed, match=type(error).__name__):
            await segue.run(once, "x")
    assert made == attempts


async def test_a_call_has_the_last_word_on_a_policy() -> None:
    """What `with_` says of one call holds for it, and for no other call of the agent."""
    made: list[str] = []

    @agent(retries=2, backoff=None)
    async def flaky(text: str) -> str:
        made.append(ctx.task)
        raise ConnectionError("busy")

    @workflow
    def twice(text: str) -> list[str]:
        return [flaky(text), flaky.with_(retries=0)(text)]

    async with Segue("memory:") as segue:
        with pytest.raises(RunFailed):
            await segue.run(twice, "x")
    assert sorted(made) == ["flaky"] * 3 + ["flaky_2"]


async def test_a_run_says_how_long_its_agents_may_take() -> None:
    """The time-out that a run was submitted with ends an agent that has none of its own."""

    @agent
    async def endless(text: str) -> str:
        await asyncio.Event().wait()
        return text

    @workflow
    def once(text: str) -> str:
        return endless(text)

    async with Segue("memory:") as segue:
        with pytest.raises(RunFailed, match=r"BudgetExceeded: endless ran for longer than .* 0.02 s"):
            await segue.with_(timeout="20ms").run(once, "x")


# --- another agent ----------------------------------------------------------------------------------


async def test_a_fallback_takes_over_with_the_same_arguments(segue: Segue) -> None:
    """A chain is tried in order, each agent by its own policy; whoever receives the hand-off sees who made it."""
    made: list[str] = []

    @agent(version="7")
    async def cheap(text: str) -> str:
        made.append(ctx.agent)
        return f"cheap {text}"

    @agent(retries=1, backoff=None, fallback=cheap)
    async def middle(text: str) -> str:
        made.append(ctx.agent)
        raise ConnectionError("busy")

    @agent(retries=2, backoff=None, fallback=middle)
    async def best(text: str) -> str:
        made.append(ctx.agent)
        raise ConnectionError("busy") if ctx.attempt == 1 else DoNotRetry("not with me")

    @agent
    async def tell(found: Handoff[str]) -> str:
        return f"{found.output} by {found.sent.source.agent} {found.sent.source.version}"

    @workflow
    def ask(text: str) -> str:
        return tell(best(text))

    handle = await segue.submit(ask, "x")
    assert await handle.result() == "cheap x by cheap 7"
    assert made == ["best", "best", "middle", "middle", "cheap"]
    task = (await tasks_of(segue, handle.run))["best"]
    assert (task.agent, task.attempt, task.failures) == ("cheap", 5, 0)
    names = [event.name async for event in segue.events(handle.run) if event.task == "best"]
    assert [name for name in names if "claimed" not in name and "ready" not in name] == [
        "task.best.retry",
        "task.best.reassigned",
        "task.middle.retry",
        "task.middle.reassigned",
        "task.cheap.complete",
    ]


async def test_each_item_falls_back_by_itself(segue: Segue) -> None:
    """Of a mapped agent only the items that fail go to the fallback."""

    @agent
    async def cheap(text: str) -> str:
        return f"cheap {text}"

    @agent(fallback=cheap)
    async def best(text: str) -> str:
        if text == "b":
            raise ValueError("no")
        return f"best {text}"

    @workflow
    def each(texts: list[str]) -> list[str]:
        return best.map(texts)

    assert await segue.run(each, ["a", "b", "c"]) == ["best a", "cheap b", "best c"]


async def test_a_fallback_gets_what_nobody_took_in_time() -> None:
    """A task whose queue budget is over goes to an agent that a worker has, though nobody has its own."""
    clock = ManualClock()
    parts = open_store("memory:", clock=clock)

    @agent
    async def here(text: str) -> str:
        return f"here {text}"

    @agent(queue="1m", fallback=here)
    async def elsewhere(text: str) -> str:
        return f"elsewhere {text}"

    @workflow
    def once(text: str) -> str:
        return elsewhere(text)

    worker, submitter = Segue(parts, clock=clock, agents=[here]), Segue(parts, clock=clock, worker=False)
    async with worker, submitter:
        handle = await submitter.submit(once, "x")
        began = clock.boot()
        assert await turning(clock, worker.handle(handle.run).result()) == "here x"
        assert 60.0 <= clock.boot() - began <= 66.0
        error = (await tasks_of(worker, handle.run))["elsewhere"].error
        assert "waited for a worker for longer than its queue budget of 60 s" in str(error)


@pytest.mark.parametrize(
    ("budget", "told"), [("task", "its deadline of 60 s"), ("run", "its deadline of 90 s")]
)
async def test_past_its_deadline_nobody_tries(budget: str, told: str) -> None:
    """A task that nobody could take before its deadline fails then, and neither a retry nor a fallback follows."""
    clock = ManualClock()
    parts = open_store("memory:", clock=clock)

    @agent
    async def here(text: str) -> str:
        return f"here {text}"

    @agent(deadline="1m" if budget == "task" else None, retries=3, fallback=here, takes="1s")
    async def elsewhere(text: str) -> str:
        return f"elsewhere {text}"

    @workflow
    def once(text: str) -> str:
        return elsewhere(text)

    worker, submitter = Segue(parts, clock=clock, agents=[here]), Segue(parts, clock=clock, worker=False)
    async with worker, submitter:
        deadline = "90s" if budget == "run" else None
        handle = await submitter.with_(deadline=deadline).submit(once, "x")
        with pytest.raises(RunFailed, match=f"BudgetExceeded: elsewhere was not done by {told}"):
            await turning(clock, worker.handle(handle.run).result())
        task = (await tasks_of(worker, handle.run))["elsewhere"]
        assert (task.state, task.attempt) == ("failed", 1)


@pytest.mark.parametrize("falls_back", [False, True])
async def test_a_task_that_kills_its_workers_is_given_up(falls_back: bool) -> None:
    """After so many losses nobody runs it again: it goes to its fallback, or is dead, and the run says why."""
    parts = open_store("memory:")
    ran: list[str] = []

    @agent
    async def careful(text: str) -> str:
        ran.append(ctx.agent)
        return f"careful {text}"

    @agent(losses=3, fallback=careful if falls_back else None)
    async def killer(text: str) -> str:
        ran.append(ctx.agent)
        return text

    @workflow
    def once(text: str) -> str:
        return killer(text)

    async with Segue(parts, worker=False) as submitter:
        handle = await submitter.submit(once, "x")
        for number in range(3):
            request = ClaimRequest(f"worker{number}", f"claim{number}", 1, ("killer",), (), 60.0)
            (claim,) = await parts.store.claim(request)
            assert claim.losses == number
            assert len(await parts.store.expire([f"worker{number}"])) == 1
        async with Segue(parts, agents=[once]) as worker:
            if falls_back:
                assert await worker.handle(handle.run).result() == "careful x"
                assert ran == ["careful"]
            else:
                with pytest.raises(RunFailed, match="killer: lost: killer was lost with its worker 3 times"):
                    await worker.handle(handle.run).result()
                assert ran == []
                assert await states_of(worker, handle.run) == {"killer": "dead"}


# --- joins ------------------------------------------------------------------------------------------


@agent
def both(first: str, second: str) -> str:
    """Put two together."""
    return f"{first}, {second}"


@agent
def instead(first: str, second: str) -> str:
    """Stand in for `both`."""
    return "instead"


@agent(on_failure="proceed")
def either(first: str | None, second: str | None) -> str:
    """Put together what there is."""
    return f"{first}, {second}"


@agent(on_failure="proceed")
def listed(texts: list[str], named: dict[str, str], whole: list[Handoff[str]]) -> str:
    """Put together what there is of lists and dicts."""
    return f"{texts} {named} {[each.output for each in whole]}"


async def test_a_join_is_skipped_unless_it_says_otherwise() -> None:
    """Without a policy a failure skips those who need the output, naming it, and so on downstream."""

    @workflow
    def joins(text: str) -> str:
        return good(both(good(text), broken(text)))

    async with Segue("memory:") as segue:
        handle = await segue.submit(joins, "x")
        with pytest.raises(RunFailed):
            await handle.result()
        tasks = await tasks_of(segue, handle.run)
        assert {name: task.state for name, task in tasks.items()} == {
            "good": "complete",
            "broken": "failed",
            "both": "skipped",
            "good_2": "skipped",
        }
        assert '"upstream":"broken"' in str(tasks["both"].error)


async def test_a_join_may_fail_with_what_it_needs(segue: Segue) -> None:
    """With "fail" the join itself has failed, naming all that are to blame; its fallback is not asked."""

    @workflow
    def joins(text: str) -> str:
        return both.with_(on_failure="fail", retries=3, fallback=instead)(broken(text), broken(text))

    handle = await segue.submit(joins, "x")
    with pytest.raises(RunFailed) as caught:
        await handle.result()
    assert sorted(caught.value.failures) == ["both", "broken", "broken_2"]
    assert caught.value.failures["both"] == (
        "upstream: broken failed: it is broken; broken_2 failed: it is broken"
    )
    assert (await tasks_of(segue, handle.run))["both"].attempt == 1
    failed = await handle.handoff("both")
    assert failed.error is not None
    assert failed.error.kind == "upstream"


async def test_a_join_that_proceeds_gets_what_there_is(segue: Segue) -> None:
    """None stands for a missing input where it is accepted; elements of lists and dicts are left out elsewhere."""

    @workflow
    def joins(text: str) -> list[str]:
        bad, fine = broken(text), good(text)
        return [either(bad, fine), listed([bad, fine], {"bad": bad, "fine": fine}, [fine, bad])]

    handle = await segue.submit(joins, "x")
    assert await handle.result() == ["None, good x", "['good x'] {'fine': 'good x'} ['good x']"]
    assert await handle.state() == "complete"


async def test_a_failure_that_all_can_bear_does_not_fail_the_run(segue: Segue) -> None:
    """The run is complete, and still names the task that failed, with its error."""

    @workflow
    def joins(text: str) -> str:
        return either(broken(text), good(text))

    handle = await segue.submit(joins, "x")
    assert await handle.result() == "None, good x"
    view = await read_view(segue.host.store, await segue.host.read_run(handle.run), 0.0)
    assert view.state == "complete"
    (failed,) = (task for task in view.tasks if task.state == "failed")
    assert (failed.task, failed.error and failed.error.message) == ("broken", "it is broken")


@agent(on_failure="proceed")
def collect(texts: list[str]) -> str:
    """Put together what there is of a list."""
    return ",".join(sorted(texts))


@agent
async def picky(text: str) -> str:
    """Fail for some."""
    if text.startswith("bad"):
        raise ValueError(text)
    return text


@pytest.mark.parametrize(
    ("texts", "collected"), [(["a", "bad1", "b", "bad2"], "a,b"), (["bad1"], ""), ([], "")]
)
async def test_items_that_failed_are_left_out(segue: Segue, texts: list[str], collected: str) -> None:
    """A join over a mapped agent proceeds with the items that there are, if only none."""

    @workflow
    def maps(texts: list[str]) -> str:
        return collect(picky.map(texts))

    assert await segue.run(maps, texts) == collected


async def test_a_map_over_a_list_of_calls_goes_on_with_what_there_is() -> None:
    """A mapped agent that proceeds runs for those elements of its list that were handed over."""

    @workflow
    def maps(text: str) -> list[str]:
        return good.with_(on_failure="proceed").map([good(text), broken(text)])

    async with Segue("memory:") as segue:
        assert await segue.run(maps, "x") == ["good good x"]


async def test_a_quorum_does_not_wait_for_stragglers_but_the_run_does(segue: Segue) -> None:
    """The join runs as soon as two of three are there; the third still runs then, and the run ends with it."""
    joined, release = asyncio.Event(), asyncio.Event()

    @agent
    async def straggler(text: str) -> str:
        await release.wait()
        return text

    @agent(on_failure=Quorum(2))
    async def first_two(texts: list[str]) -> str:
        joined.set()
        return ",".join(texts)

    @workflow
    def race(text: str) -> str:
        return first_two([good(text), straggler(text), good("y")])

    handle = await segue.submit(race, "x")
    await joined.wait()
    assert (await handle.handoff("first_two")).output == "good x,good y"
    assert await handle.state() == "running"
    release.set()
    assert await handle.result() == "good x,good y"
    assert await states_of(segue, handle.run) == dict.fromkeys(
        ("good", "straggler", "good_2", "first_two"), "complete"
    )


async def test_a_quorum_that_cannot_be_reached_fails_at_once(segue: Segue) -> None:
    """With the failure that makes it impossible the join fails, naming who is to blame, whoever still runs."""
    release = asyncio.Event()

    @agent
    async def straggler(text: str) -> str:
        await release.wait()
        return text

    @agent(on_failure=Quorum(2))
    async def two_of(texts: list[str]) -> str:
        return ",".join(texts)

    @workflow
    def race(text: str) -> str:
        return two_of([broken(text), straggler(text), broken(text)])

    handle = await segue.submit(race, "x")
    async for event in segue.events(handle.run, names="task.two_of.failed"):
        assert event.data is not None
        assert '"kind":"quorum"' in event.data
        break
    assert await handle.state() == "running"
    release.set()
    with pytest.raises(RunFailed) as caught:
        await handle.result()
    assert caught.value.failures["two_of"] == (
        "quorum: its quorum of 2 cannot be reached: broken failed: it is broken; broken_2 failed: it is broken"
    )


@pytest.mark.parametrize(
    ("texts", "outcome"),
    [
        (["a", "bad", "b"], "a,b"),
        (["bad", "a"], "good x,a"),
        ([], None),
        (["bad", "bad"], None),
    ],
)
async def test_a_quorum_counts_the_items_of_a_map(texts: list[str], outcome: str | None) -> None:
    """Each item counts: two of them will do, or one and another input; an empty list gives none."""
    clock = ManualClock()

    @agent
    async def late(text: str) -> str:
        await clock.sleep(5.0)
        return f"good {text}"

    @agent(on_failure=Quorum(2))
    async def two_of(first: str | None, texts: list[str]) -> str:
        return ",".join([*([first] if first else []), *sorted(texts)])

    @workflow
    def race(texts: list[str], text: str) -> str:
        return two_of(late(text), picky.map(texts))

    async with Segue("memory:", clock=clock) as segue:
        if outcome is None:
            with pytest.raises(RunFailed, match=r"quorum: its quorum of 2 cannot be reached"):
                await turning(clock, segue.run(race, texts, "x"))
        else:
            assert await turning(clock, segue.run(race, texts, "x")) == outcome


@pytest.mark.parametrize("policy", ["skip", "fail", "proceed", Quorum(1)])
async def test_what_does_not_depend_on_a_failure_ends_well(segue: Segue, policy: Any) -> None:
    """Whatever the join does, everything beside it is complete, and the run ends."""

    @workflow
    def mixed(texts: list[str]) -> list[Any]:
        return [collect.with_(on_failure=policy)(picky.map(texts)), good.map(texts)]

    handle = await segue.submit(mixed, ["a", "bad", "c"])
    fails = policy in ("skip", "fail")
    try:
        await handle.result()
        assert not fails
    except RunFailed:
        assert fails
    states = await states_of(segue, handle.run)
    assert [states[f"good{item}"] for item in range(3)] == ["complete"] * 3
    assert states["collect"] == {"skip": "skipped", "fail": "failed"}.get(policy, "complete")


async def test_who_is_skipped_reads_only_what_it_lacks(segue: Segue, monkeypatch: pytest.MonkeyPatch) -> None:
    """Thousands may be skipped for one failure: none of them reads all tasks of the run to find out why."""
    read: list[int] = []
    store = segue.host.store
    read_tasks = store.read_tasks

    async def counted(run: str, names: Any = ()) -> Any:
        found = await read_tasks(run, names)
        read.append(len(found))
        return found

    @workflow
    def fans(text: str) -> list[str]:
        bad = broken(text)
        return [good(bad) for _ in range(30)]

    handle = await segue.submit(fans, "x")
    monkeypatch.setattr(type(store), "read_tasks", lambda _, *given: counted(*given))
    with pytest.raises(RunFailed):
        await handle.result()
    assert sorted(read)[:-1] == [1] * 30, "all but the last, which is for the error of the run, read one task"
