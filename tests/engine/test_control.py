"""What a person or a program does to a run: cancel it, decide on it, set it a deadline, watch it, clear it away."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from segue import GraphError, Handoff, ReviewNeeded, RunCancelled, RunFailed, Segue, agent, workflow
from segue.errors import ControlRefused, KeyConflict, ReviewRefused, TaskFailed, UnknownRun, UsageError
from tests.engine.deciding import decide


async def test_cancelling_stops_agents_and_revokes_their_claims(segue: Segue) -> None:
    """A running agent is cancelled, its result is refused, and who waits is told."""
    started, stopped = asyncio.Event(), asyncio.Event()

    @agent
    async def endless(text: str) -> str:
        started.set()
        try:
            await asyncio.Event().wait()
        finally:
            stopped.set()
        return text

    @workflow
    def waits(text: str) -> str:
        return endless(text)

    handle = await segue.submit(waits, "x")
    await started.wait()
    assert (await handle.cancel(by="ann", reason="enough")).verdict == "done"
    with pytest.raises(RunCancelled):
        await handle.result()
    await asyncio.wait_for(stopped.wait(), 5)
    assert await handle.state() == "cancelled"
    with pytest.raises(ControlRefused, match="has ended; it is cancelled"):
        await handle.cancel(by="ann", reason="again")


async def test_an_agent_that_cancels_itself_has_failed(segue: Segue) -> None:
    """A stray CancelledError or SystemExit of an agent is its failure: it does not loop for ever or stop the worker."""

    @agent
    async def cancels(text: str) -> str:
        raise asyncio.CancelledError

    @agent
    def leaves(text: str) -> str:
        raise SystemExit(3)

    @workflow
    def both(text: str) -> Any:
        return [cancels(text), leaves(text)]

    with pytest.raises(RunFailed) as failed:
        await segue.run(both, "x")
    assert set(failed.value.failures) == {"cancels", "leaves"}


async def test_cancelling_the_wait_does_not_cancel_the_run(segue: Segue) -> None:
    """Who stops waiting takes nothing back: the run goes on and can be waited for again."""
    go = asyncio.Event()

    @agent
    async def slow(text: str) -> str:
        await go.wait()
        return text

    @workflow
    def waits(text: str) -> str:
        return slow(text)

    handle = await segue.submit(waits, "x")
    wait = asyncio.create_task(handle.result())
    await asyncio.wait([wait], timeout=0.01)
    wait.cancel()
    with pytest.raises(asyncio.CancelledError):
        await wait
    go.set()
    assert await handle.result() == "x"


async def test_a_review_by_a_person(segue: Segue) -> None:
    """A hand-off that needs review holds its dependents back; approved, it is handed over as version 2."""

    @agent
    async def draft(text: str) -> Handoff[str]:
        return Handoff(text.upper(), status="needs_review", confidence=0.4)

    @agent
    async def publish(text: Handoff[str]) -> list[Any]:
        return [text.output, text.sent.version]

    @workflow
    def reviewed(text: str) -> list[Any]:
        return publish(draft(text))

    handle = await segue.submit(reviewed, "x")
    with pytest.raises(ReviewNeeded, match="decision on draft"):
        await handle.result()
    assert await handle.state() == "needs_review"
    (shown,) = await segue.reviews(handle.run)
    with pytest.raises(ReviewRefused, match="nothing waits for a decision on publish"):
        await segue.review(handle.run, "publish", digest=shown.digest, approve=True, by="ann")
    await decide(segue, handle.run, "draft", approve=True, by="ann")
    assert await handle.result() == ["X", 2]
    with pytest.raises(ReviewRefused, match=r"draft of run .* was approved by ann before"):
        await segue.review(handle.run, "draft", digest=shown.digest, approve=False, by="bob")


async def test_a_review_that_refuses(segue: Segue) -> None:
    """Refused, the task has failed and its dependents are skipped, and all are told by whom and why."""

    @agent
    async def draft(text: str) -> Handoff[str]:
        return Handoff(text, status="needs_review")

    @agent
    async def publish(text: str) -> str:
        return text

    @workflow
    def reviewed(text: str) -> str:
        return publish(draft(text))

    handle = await segue.submit(reviewed, "x")
    with pytest.raises(ReviewNeeded):
        await handle.result()
    await decide(segue, handle.run, "draft", approve=False, by="ann", note="not like this")
    with pytest.raises(RunFailed) as caught:
        await handle.result()
    assert caught.value.failures == {"draft": "rejected: ann rejected it: not like this"}
    (skipped,) = await segue.host.store.read_tasks(handle.run, [("publish", -1)])
    assert "draft failed: ann rejected it: not like this" in str(skipped.error)


async def test_a_refusal_that_all_can_bear(segue: Segue) -> None:
    """What is refused has failed like any other task: if everybody can do without it, the run is complete."""

    @agent
    async def draft(text: str) -> Handoff[str]:
        return Handoff(text, status="needs_review")

    @agent
    async def publish(text: str | None) -> str:
        return text or "nothing"

    @workflow
    def reviewed(text: str) -> str:
        return publish(draft(text))

    handle = await segue.submit(reviewed, "x")
    with pytest.raises(ReviewNeeded):
        await handle.result()
    await decide(segue, handle.run, "draft", approve=False, by="ann")
    assert await handle.result() == "nothing"
    assert await handle.state() == "complete"


async def test_an_option_that_there_is_not(segue: Segue) -> None:
    """A misspelt option of a run is refused at once, with all that there are."""
    with pytest.raises(UsageError, match="no setting 'deadlin'") as caught:
        segue.with_(deadlin="2m")  # type: ignore[call-arg]
    known = "key, goal, constraints, deadline, trace, on_deadlock, timeout, idle, queue, hops, laps, budget"
    assert caught.value.remedy == f"There are: {known}."


async def test_a_deadline_that_cannot_be_met_is_refused(segue: Segue) -> None:
    """Declared durations are added up along the critical path, and the path is named; what is recorded counts too."""

    @agent(takes="40s")
    async def first(text: str) -> str:
        return text

    @agent(takes="30s")
    async def second(text: str) -> str:
        return text

    @agent
    async def unknown(text: str) -> str:
        return text

    @workflow
    def chain(text: str) -> str:
        return second(first(text))

    @workflow
    def open_end(text: str) -> str:
        return unknown(text)

    with pytest.raises(GraphError, match=r"first.*second"):
        await segue.with_(deadline="1m").submit(chain, "x")
    assert (await segue.host.store.facts()).runs == 0
    assert await segue.with_(deadline="2m").run(chain, "x") == "x"
    with pytest.warns(UserWarning, match="unknown"):
        assert await segue.with_(deadline="2m").run(open_end, "x") == "x"
    assert await segue.with_(deadline="2m").run(open_end, "x") == "x"


async def test_any_number_of_observers_see_one_hand_off(segue: Segue) -> None:
    """Observers that were there, came late or look from a cursor all see the same events, in order, without gaps."""

    @agent
    async def one(text: str) -> str:
        return text

    @agent
    async def two(text: str) -> str:
        return text

    @workflow
    def chain(text: str) -> str:
        return two(one(text))

    handle = await segue.submit(chain, "x")

    async def watch() -> list[str]:
        return [event.name async for event in segue.events(handle.run)]

    early = asyncio.create_task(watch())
    await handle.result()
    seen = await early
    assert seen == await watch()
    assert seen[0] == "run.started"
    assert seen[-1] == "run.complete"
    events = [event async for event in segue.events(handle.run)]
    assert [event.sequence for event in events] == list(range(1, len(events) + 1))
    rest = [event.name async for event in segue.events(handle.run, after=events[2].cursor)]
    assert rest == seen[3:]
    named = [event.name async for event in segue.events(handle.run, names="task.complete")]
    assert named == ["task.one.complete", "task.two.complete"]


async def test_waiting_for_one_task(segue: Segue) -> None:
    """`wait` returns a hand-off that was made before or comes later, and says so if it never will."""

    @agent
    async def one(text: str) -> str:
        return text

    @agent
    async def bad(text: str) -> str:
        raise ValueError("no")

    @agent
    async def never(text: str) -> str:
        return text

    @workflow
    def chain(text: str) -> Any:
        return [one(text), never(bad(text))]

    handle = await segue.submit(chain, "x")
    handed = await segue.wait(handle.run, "one")
    assert handed is not None
    assert handed.output == "x"
    with pytest.raises(TaskFailed, match="never handed nothing over"):
        await segue.wait(handle.run, "never")
    with pytest.raises(UnknownRun, match="no task 'other'"):
        await segue.wait(handle.run, "other")
    with pytest.raises(UnknownRun, match="no run 'nope'"):
        await segue.wait("nope")


async def test_upstream_decisions_stay_reachable(segue: Segue) -> None:
    """A receiver reaches the decisions of everybody before it, with the goal and constraints of the run."""

    @agent
    async def one(goal: str) -> Handoff[str]:
        return Handoff(goal, decisions=["first"], constraints=["keep it short"])

    @agent
    async def two(text: str) -> Handoff[str]:
        return Handoff(text, decisions=["second"])

    @agent
    async def three(text: Handoff[str]) -> list[Any]:
        told = await text.upstream()
        return [
            told.goal,
            list(told.constraints),
            list(told.decisions),
            list(text.decisions),
            list(text.sent.hops),
        ]

    @workflow
    def chain(goal: str) -> list[Any]:
        return three(two(one(goal)))

    constrained = segue.with_(constraints=["no clouds"])
    goal, constraints, decisions, own, hops = await constrained.run(chain, "the goal")
    assert goal == "the goal"
    assert constraints == ["no clouds", "keep it short"]
    assert decisions == ["first", "second"]
    assert own == ["second"]
    assert hops == ["one", "two"]


async def test_pruning_takes_what_ended_and_nothing_else(segue: Segue) -> None:
    """A run that ended is gone with all that belongs to it; one that has not ended stays."""
    go = asyncio.Event()

    @agent
    async def quick(text: str) -> str:
        return text

    @agent
    async def slow(text: str) -> str:
        await go.wait()
        return text

    @workflow
    def ends(text: str) -> str:
        return quick(text)

    @workflow
    def runs_on(text: str) -> str:
        return slow(text)

    ended = await segue.submit(ends, "x")
    await ended.result()
    running = await segue.submit(runs_on, "x")
    assert await segue.prune(0) == 1
    with pytest.raises(UnknownRun):
        await ended.state()
    go.set()
    assert await running.result() == "x"


async def test_a_submission_in_conflict_takes_no_other_with_it(segue: Segue) -> None:
    """Many submissions of one turn are stored together; the one whose key is another run's is refused by itself."""

    @agent
    async def echo(text: str) -> str:
        return text

    @workflow
    def once(text: str) -> str:
        return echo(text)

    await segue.with_(key="taken").run(once, "first")
    outcomes = await asyncio.gather(
        *(
            segue.with_(key="taken" if number == 3 else f"key {number}").run(once, f"text {number}")
            for number in range(6)
        ),
        return_exceptions=True,
    )
    assert isinstance(outcomes.pop(3), KeyConflict)
    assert outcomes == ["text 0", "text 1", "text 2", "text 4", "text 5"]


async def test_a_submission_whose_caller_left_is_stored(segue: Segue) -> None:
    """Who is cancelled while a submission is on its way leaves a run that goes on, and no place taken."""

    @agent
    async def echo(text: str) -> str:
        return text

    @workflow
    def once(text: str) -> str:
        return echo(text)

    submitting = asyncio.create_task(segue.with_(key="left").submit(once, "x"))
    await asyncio.wait([submitting], timeout=0)
    submitting.cancel()
    await asyncio.gather(submitting, return_exceptions=True)
    assert await segue.with_(key="left").run(once, "x") == "x"
    assert len(await segue.host.store.list_runs(10)) == 1


@pytest.mark.parametrize("text", ["half \ud800 character", "NUL \0", ""])
async def test_a_key_that_cannot_be_stored_is_refused_by_itself(segue: Segue, text: str) -> None:
    """A key that not every store can keep is an error of the one who gives it and of nobody who submits with him."""

    @agent
    async def echo(text: str) -> str:
        return text

    @workflow
    def once(text: str) -> str:
        return echo(text)

    async def run(key: str) -> str:
        return await segue.with_(key=key).run(once, "x")

    refused, accepted = await asyncio.gather(run(text), run("good"), return_exceptions=True)
    assert isinstance(refused, UsageError)
    assert accepted == "x"
    if text:
        with pytest.raises(UnknownRun):
            await segue.wait(text)
