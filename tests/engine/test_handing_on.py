"""`HandTo`: a task that goes on with another agent, in real runs on both stores."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from segue import Handoff, HandTo, LoopDetected, Ref, RunFailed, Segue, agent, ctx, workflow
from segue.domain.graph.agent import Agent
from segue.domain.running.handing_on import Bounds, Stop, further
from segue.errors import ReviewNeeded, ReviewRefused


class Order(BaseModel):
    """What is handed on."""

    number: int
    item: str


class Answer(BaseModel):
    """What the task leaves in the end."""

    text: str


@agent
async def billing(order: Order, note: str = "none") -> Answer:
    """Settles an order."""
    return Answer(text=f"billed {order.number} ({note})")


@agent
async def triage(number: int) -> Answer | HandTo:
    """Knows who is to go on."""
    if number == 0:
        return Answer(text="nothing to bill")
    return HandTo(
        billing, order=Order(number=number, item="tea"), decisions=["bill it"], summary="to billing"
    )


@agent
async def close(answer: Answer) -> str:
    """Waits for whoever has the last word."""
    return answer.text.upper()


@workflow
def support(number: int) -> str:
    """One task that may be handed on, and one that waits for it."""
    return close(triage(number))


@pytest.fixture(params=["memory:", "sqlite"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Each of the two stores."""
    return "memory:" if request.param == "memory:" else str(tmp_path / "segue.db")


async def names(segue: Segue, run: str) -> list[str]:
    """What happened, in the order in which it was committed."""
    events, _ = await segue.host.store.tail(None, 1000, run)
    return [event.name for event in events]


async def test_the_task_goes_on_with_another_agent_and_its_dependents_wait_for_the_last(url: str) -> None:
    """The dependent gets what the second agent made, and the task keeps its name and counts its versions."""
    async with Segue(url) as segue:
        handle = await segue.submit(support, 7)
        assert await handle.result() == "BILLED 7 (NONE)"
        (task, _) = sorted(await segue.host.store.read_tasks(handle.run), key=lambda each: each.node)[::-1]
        assert (task.node, task.agent, task.state, task.version, task.attempt) == (
            "triage",
            "billing",
            "complete",
            2,
            2,
        )
        found = await names(segue, handle.run)
        assert found.index("task.triage.handed_on") < found.index("task.billing.claimed")
        final = await handle.handoff("triage")
        assert (final.sent.source.agent, final.sent.version) == ("billing", 2)
        upstream = await final.upstream()
        assert upstream.decisions == ("bill it",)
        assert await (await segue.submit(support, 0)).result() == "NOTHING TO BILL"


async def test_the_receiver_may_want_all_of_what_was_handed_on(url: str) -> None:
    """A target that takes `Handoff[T]` or `Ref[T]` sees the reasoning of the sender beside its argument."""

    @agent
    async def judge(order: Handoff[Order], evidence: Ref[str]) -> Answer:
        decisions = ", ".join(order.decisions)
        return Answer(
            text=f"{order.output.number}: {decisions}; {await evidence.fetch()}; {order.sent.source.agent}"
        )

    @agent
    async def ask() -> Answer | HandTo:
        return HandTo(
            judge, order={"number": 3, "item": "x" * 9000}, evidence="e" * 9000, decisions=["be kind"]
        )

    @workflow
    def asked() -> Answer:
        return ask()

    async with Segue(url) as segue:
        assert (await segue.run(asked)).text == f"3: be kind; {'e' * 9000}; ask"


async def test_each_item_of_a_mapped_node_may_be_handed_on(url: str) -> None:
    """Items are handed on by themselves, and the list has each result in its place."""

    @agent
    async def listed(count: int) -> list[int]:
        return list(range(count))

    @workflow
    def many(count: int) -> list[Answer]:
        return triage.map(listed(count))

    async with Segue(url) as segue:
        answers = await segue.run(many, 3)
        assert [each.text for each in answers] == ["nothing to bill", "billed 1 (none)", "billed 2 (none)"]


async def test_the_target_is_retried_and_not_the_sender(url: str) -> None:
    """A failure after the transfer is answered by the target's own policy and fallback, with the same arguments."""
    calls: list[str] = []

    @agent
    async def spare(text: str) -> str:
        calls.append(f"spare {text}")
        return f"spared {text}"

    @agent(retries=1, backoff=None, fallback=spare)
    async def weak(text: str) -> str:
        calls.append(f"weak {text}")
        raise RuntimeError("no")

    @agent(retries=5)
    async def first() -> str | HandTo:
        calls.append("first")
        return HandTo(weak, text="x")

    @workflow
    def tried() -> str:
        return first()

    async with Segue(url) as segue:
        assert await segue.run(tried) == "spared x"
    assert calls == ["first", "weak x", "weak x", "spare x"]


async def test_a_redrive_begins_with_the_first_agent(url: str) -> None:
    """`segue retry` gives the task back to the agent of the graph, with the inputs that it had at first."""
    calls: list[str] = []

    @agent
    async def target(text: str) -> str:
        calls.append(f"target {text}")
        if len(calls) < 3:
            raise RuntimeError("not yet")
        return f"done {text}"

    @agent
    async def begin(text: str) -> str | HandTo:
        calls.append(f"begin {text}")
        return HandTo(target, text=text.upper())

    @workflow
    def again(text: str) -> str:
        return begin(text)

    async with Segue(url) as segue:
        handle = await segue.submit(again, "a")
        with pytest.raises(RunFailed):
            await handle.result()
        await handle.retry(by="me")
        assert await handle.result() == "done A"
    assert calls == ["begin a", "target A", "begin a", "target A"]


def _failing(target: Any, **arguments: Any) -> tuple[Any, list[int]]:
    tries: list[int] = []

    @agent(retries=1, backoff=None)
    async def sender() -> Answer | HandTo:
        tries.append(ctx.attempt)
        return HandTo(target, **arguments)

    @workflow
    def sending() -> Answer:
        return sender()

    return sending, tries


@agent
async def numeric(number: int) -> int:
    """Gives something else than an answer."""
    return number


@pytest.mark.parametrize(
    ("target", "arguments", "told"),
    [
        ("biling", {}, "there is no agent 'biling' here"),
        (billing, {"order": {"number": "x", "item": "tea"}}, "the argument 'order'"),
        (billing, {}, "the argument 'order' is missing"),
        (billing, {"order": {"number": 1, "item": "tea"}, "other": 1}, "there is no parameter 'other'"),
        (numeric, {"number": 1}, "which gives int, and whoever waits for the task expects Answer"),
    ],
)
async def test_what_does_not_fit_is_the_senders_failure(
    url: str, target: Agent[Any] | str, arguments: dict[str, Any], told: str
) -> None:
    """An unknown agent, and arguments or an output that do not fit, fail the sender, which is tried again."""
    sending, tries = _failing(target, **arguments)
    async with Segue(url, agents=[billing]) as segue:
        with pytest.raises(RunFailed) as failed:
            await segue.run(sending)
    assert tries == [1, 2]
    assert told in str(failed.value)


def _triangle(laps: int | None = None, hops: int | None = None, **settings: Any) -> tuple[Any, list[str]]:
    calls: list[str] = []
    given = {name: value for name, value in (("laps", laps), ("hops", hops)) if value is not None}

    @agent(name="a", **given, **settings)
    async def first(ticket: str = "t") -> str | HandTo:
        calls.append("a")
        return HandTo("b", ticket=ticket)

    @agent(name="b")
    async def second(ticket: str) -> str | HandTo:
        calls.append("b")
        return HandTo("c", ticket=ticket)

    @agent(name="c")
    async def third(ticket: str) -> str | HandTo:
        calls.append("c")
        return HandTo("a", ticket=ticket)

    @workflow
    def circle() -> str:
        return first()

    return (circle, [first, second, third]), calls


@pytest.mark.parametrize("laps", [0, 1, 3])
async def test_a_triangle_stops_at_the_configured_lap(url: str, laps: int) -> None:
    """A, B, C, A is a lap: the first agent comes again as often as `laps` says; the error names the path."""
    (circle, agents), calls = _triangle(laps)
    async with Segue(url, agents=agents) as segue:
        handle = await segue.submit(circle)
        with pytest.raises(RunFailed) as failed:
            await handle.result()
    assert "".join(calls) == "abc" * (laps + 1)
    assert "a -> b -> c -> a" in str(failed.value)
    assert "LoopDetected" in str(failed.value) or "would come again" in str(failed.value)


async def test_ping_pong_is_a_lap_too(url: str) -> None:
    """Two agents that hand to each other stop after as many laps, with arguments that change all the time."""
    calls: list[int] = []

    @agent
    async def ping(count: int = 0) -> int | HandTo:
        calls.append(count)
        return HandTo("pong", count=count + 1)

    @agent
    async def pong(count: int) -> int | HandTo:
        return HandTo("ping", count=count + 1)

    @workflow
    def game() -> int:
        return ping()

    async with Segue(url, agents=[ping, pong]) as segue:
        with pytest.raises(RunFailed):
            await segue.with_(laps=2).run(game)
    assert calls == [0, 2, 4]


async def test_hops_bound_a_path_without_circles(url: str) -> None:
    """A chain that never comes back is stopped by its length, as the run says."""
    (circle, agents), calls = _triangle(laps=100)
    async with Segue(url, agents=agents) as segue:
        with pytest.raises(RunFailed, match="handed on for the 6th time"):
            await segue.with_(hops=5).run(circle)
    assert len(calls) == 6


async def test_a_person_may_be_asked_about_a_loop(url: str) -> None:
    """With on_loop="review" the task waits for a person instead of failing, and no agent is tried again."""
    (circle, agents), calls = _triangle(0, on_loop="review", retries=3)
    async with Segue(url, agents=agents) as segue:
        handle = await segue.submit(circle)
        with pytest.raises(ReviewNeeded):
            await handle.result()
        (waiting,) = await segue.reviews(handle.run)
        with pytest.raises(ReviewRefused, match="no output that could be approved") as refused:
            await segue.review(handle.run, "a", digest=waiting.digest, approve=True, by="ann")
        assert refused.value.reason == "no output"
        (task,) = await segue.host.store.read_tasks(handle.run)
        assert task.state == "needs_review"
        (stored,) = await segue.host.store.latest_handoffs(handle.run)
        assert "LoopDetected" in json.loads(stored.record.body)["error"]["kind"]
        await segue.review(handle.run, "a", digest=waiting.digest, approve=True, by="ann", output="enough")
        assert await handle.result() == "enough"
    assert "".join(calls) == "abc"


async def test_steps_of_one_agent_are_not_those_of_another(url: str) -> None:
    """Two agents of one task that call a step by the same name each get their own result, also when tried again."""
    made: list[str] = []

    @agent(retries=1, backoff=None)
    async def later(text: str) -> str:
        answer = await ctx.step("ask", lambda: made.append("later") or "later's")
        if ctx.attempt == 2:
            raise RuntimeError("once")
        return f"{text}, {answer}"

    @agent
    async def earlier() -> str | HandTo:
        return HandTo(later, text=await ctx.step("ask", lambda: made.append("earlier") or "earlier's"))

    @workflow
    def both() -> str:
        return earlier()

    async with Segue(url) as segue:
        assert await segue.run(both) == "earlier's, later's"
    assert made == ["earlier", "later"]


def test_the_error_says_what_stopped_it() -> None:
    """`LoopDetected` carries the path, the guard and its limit."""
    way = (Stop("a"), Stop("b", "x"))
    with pytest.raises(LoopDetected, match="a would come again for the 1st time: a -> b -> a") as laps:
        further(way, Stop("a", "y"), Bounds(hops=9, laps=0))
    assert (laps.value.guard, laps.value.limit, laps.value.path) == ("laps", 0, ("a", "b", "a"))
    with pytest.raises(LoopDetected, match="handed on for the 2nd time: a -> b -> c") as hops:
        further(way, Stop("c"), Bounds(hops=1, laps=9))
    assert (hops.value.guard, hops.value.limit) == ("hops", 1)
    with pytest.raises(LoopDetected, match="1 times with the same arguments"):
        further(way, Stop("b", "x"), Bounds(hops=9, laps=0))
    assert further(way, Stop("a"), Bounds(hops=2, laps=1)) == (*way, Stop("a"))
