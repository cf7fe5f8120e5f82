"""How the public API is used, in types: checked by mypy --strict and basedpyright, never run."""

import asyncio
import functools
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypedDict, assert_type

from pydantic import BaseModel

from segue import (
    Agent,
    Artifact,
    DidNotHappen,
    DoNotRetry,
    Event,
    Handoff,
    HandTo,
    Happened,
    Later,
    Pool,
    Quorum,
    Ref,
    Retry,
    RetryLater,
    Review,
    RunHandle,
    Segue,
    Spending,
    Workflow,
    agent,
    condition,
    ctx,
    graph_from_data,
    workflow,
)
from segue.app.controlling import Controlled
from segue.app.views import ReviewView

# --- the example of the design ------------------------------------------------------------------


class Findings(BaseModel):
    competitors: list[str]
    raw: Artifact
    risky: bool = False


class Prices(BaseModel):
    by_name: dict[str, float]


class Risks(BaseModel):
    worst: str


class Report(BaseModel):
    text: str


@agent(timeout="2m", retries=2, pool="gpu")
async def research(goal: str) -> Handoff[Findings]:
    raw = await Artifact.write(goal.encode(), media_type="application/json")
    assert_type(raw, Artifact)
    return Handoff(
        Findings(competitors=["a", "b"], raw=raw),
        summary="Two competitors with pricing data",
        confidence=0.87,
        decisions=["excluded freemium tiers as out of scope"],
    )


@agent
async def price(found: Findings) -> Prices:
    return Prices(by_name=dict.fromkeys(found.competitors, 1.0))


@agent
async def risks(found: Handoff[Findings]) -> Risks:
    assert_type(found.output, Findings)
    assert_type(found.summary, str)
    assert_type(found.confidence, float | None)
    return Risks(worst=found.output.competitors[0])


@agent
async def write(found: Ref[Findings], prices: Later[Prices], risks: Risks) -> Report:
    assert_type(await found.fetch(), Findings)
    assert_type(await prices, Prices)
    return Report(text=found.summary + risks.worst)


@workflow
def compare(goal: str) -> Report:
    found = research(goal)
    assert_type(found, Findings)
    return write(found, price(found), risks(found))


async def main() -> None:
    async with Segue("segue.db") as segue:
        assert_type(segue, Segue)
        report = await segue.run(compare, "Compare SaaS pricing in developer tools")
        assert_type(report, Report)
        assert_type(segue.with_(timeout="1m", idle=None, queue=timedelta(hours=1)), Segue)
        segue.with_(timeout=())  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
        assert_type(await segue.with_(key="monday", deadline="5m").run(compare, goal="again"), Report)
        assert str(await segue.run(compare, "and used where any object will do"))
        handle = await segue.submit(compare, "once more")
        assert_type(handle, RunHandle[Report])
        assert_type(await handle.result(), Report)
        assert_type(await handle.retry("research", by="Ana", reason="it is back"), Controlled)
        for shown in await segue.reviews():
            assert_type(shown, ReviewView)
            await segue.review(
                shown.run, shown.task, digest=shown.digest, approve=True, by="Ana", note="fine"
            )
        await segue.review("run", "task", approve=True, by="Ana")  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
        assert_type(await segue.pause(handle.run, "research", by="Ana", until="draft"), Controlled)
        assert_type((await handle.reassign("research", to=research, by="Ana")).tasks, tuple[str, ...])
        events: AsyncIterator[Event] = segue.events(handle.run)
        async for event in events:
            assert_type(event.name, str)

        await segue.run(compare)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
        await segue.run(compare, 3)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
        await segue.run(compare, gaol="x")  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]


any_workflow: Workflow[..., Report] = compare
assert_type(research, Agent[Findings])
assert_type(price, Agent[Prices])

# --- every way to declare an agent ---------------------------------------------------------------


@dataclass
class Page:
    url: str
    words: int


class Row(TypedDict):
    name: str
    count: int


@agent
def count(text: str) -> int:
    return len(text)


@agent
def fetch(url: str) -> Handoff[Page]:
    if not url:
        raise DoNotRetry("no address")
    if url == "busy":
        raise RetryLater("30s", "the service is busy")
    return Handoff(Page(url, 1))


@agent(
    name="rows.list",
    version="2",
    timeout=timedelta(seconds=30),
    retries=3,
    backoff=0.5,
    concurrency=4,
    speculative=True,
    decisions="required",
    takes="10s",
    idle="5s",
    queue="1m",
    deadline="10m",
    on_overrun="fail",
    isolation="process",
    losses=3,
    on_failure="proceed",
)
def rows(page: Page, limit_rows: int = 10) -> Handoff[list[Row]]:
    return Handoff([Row(name=page.url, count=limit_rows)], decisions=["all of them"])


@agent(
    timeout=None,
    concurrency=None,
    retries=Retry(
        3, backoff="2s", factor=1.5, maximum="1m", jitter=0.1, on=(TimeoutError, "httpx.ReadError")
    ),
    fallback=count,
    on_failure=Quorum(1),
    review=Review(by=("alice", "ops"), expires="24h", then="escalate", escalate_to=Review(by="boss")),
)
async def nothing(page: Page | None) -> None:
    assert_type(ctx.attempt, int)


class Summariser:
    async def __call__(self, pages: list[Page]) -> str:
        return pages[0].url

    def shorten(self, text: str) -> str:
        return text


def scale(factor: float, value: float) -> float:
    return factor * value


summarise = agent(name="summarise")(Summariser())
shorten = agent(Summariser().shorten)
double = agent(name="double")(functools.partial(scale, 2.0))

assert_type(count, Agent[int])
assert_type(fetch, Agent[Page])
assert_type(rows, Agent[list[Row]])
assert_type(nothing, Agent[None])
assert_type(summarise, Agent[str])
assert_type(shorten, Agent[str])
assert_type(double, Agent[float])

agent(retires=3)  # type: ignore[call-overload]  # pyright: ignore[reportCallIssue]
agent(on_overrun="again")  # type: ignore[call-overload]  # pyright: ignore[reportArgumentType, reportCallIssue]
agent(fallback=str)  # type: ignore[call-overload]  # pyright: ignore[reportArgumentType, reportCallIssue]
agent(review="alice")  # type: ignore[call-overload]  # pyright: ignore[reportArgumentType, reportCallIssue]
agent(isolation="container")  # type: ignore[call-overload]  # pyright: ignore[reportArgumentType, reportCallIssue]
agent(decisions="maybe")  # type: ignore[call-overload]  # pyright: ignore[reportArgumentType, reportCallIssue]

# --- every way to call one ------------------------------------------------------------------------


@condition
def is_long(page: Page, at_least: int = 100) -> bool:
    return page.words >= at_least


@condition(name="has.rows")
def has_rows(rows: list[Row]) -> bool:
    return bool(rows)


@agent
def split(text: str) -> tuple[Page, int]:
    return Page(text, 1), 1


@agent
def join(pages: list[Handoff[Page]], notes: list[Ref[Page]], first: Row | None, best: Page | None) -> str:
    return pages[0].summary + notes[0].summary + str(first) + str(best)


@workflow(name="every.form", version="3")
def every_form(urls: list[str], text: str = "x") -> tuple[str, list[Page], int]:
    pages = fetch.map(urls, limit=50)
    assert_type(pages, list[Page])
    page, number = split(text)
    assert_type(page, Page)
    assert_type(number, int)
    assert_type(pages[0].url, str)

    maybe = rows.when(is_long(page, at_least=3))(page, limit_rows=5)
    assert_type(maybe, list[Row] | None)
    some = fetch.when(has_rows(rows(page))).map(urls, after=[page])
    assert_type(some, list[Page] | None)
    found = research(text, after=count(text))
    sure = price.when(found.risky)(found)
    assert_type(sure, Prices | None)

    nothing(page, after=[number, maybe])
    joined = join(pages, [page, fetch(text)], rows(page)[0], None)
    assert_type(joined, str)
    other = research.with_(
        timeout="30s", retries=0, fallback=None, pools={"gpu": 1, "licence": Pool(2, keep=True)}
    )
    assert_type(other, Agent[Findings])
    assert_type(other(text), Findings)
    assert_type(fetch.with_(losses=1).map(urls), list[Page])
    assert_type(price.with_(queue=5).when(found.risky)(found), Prices | None)
    research.with_(name="x")  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    inner = compare(text)
    assert_type(inner, Report)
    compare(3)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    is_long("x")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    return joined, pages, number


async def several_outputs(segue: Segue) -> None:
    text, pages, number = await segue.run(every_form, ["a", "b"], text="y")
    assert_type(text, str)
    assert_type(pages, list[Page])
    assert_type(number, int)


async def data(segue: Segue, text: str) -> None:
    """A graph given as data is run like any workflow; its types are known when it runs."""
    built = graph_from_data(text, {"research": research})
    assert_type(await segue.run(built, "goal", other=3), Any)


# --- steps and effects --------------------------------------------------------------------------


async def ask_model(question: str, *, pages: int = 1) -> list[Page]:
    return [Page(question, pages)]


async def look_up(key: str) -> Happened | DidNotHappen | None:
    return Happened(Page(key, 1)) if key else DidNotHappen()


async def pay(amount: int, idempotency_key: str) -> Page:
    return Page(idempotency_key, amount)


@agent
async def careful(text: str) -> str:
    pages = await ctx.step("ask", ask_model, text, pages=2)
    assert_type(pages, list[Page])
    assert_type(await ctx.progress("page 3", fraction=0.3), None)
    assert_type(ctx.progress(fraction=1).wait(), None)
    assert_type(await ctx.step("count", len, text), int)
    words, found = await asyncio.gather(
        ctx.step("words", scale, 1.0, 2.0), ctx.step("again", ask_model, text)
    )
    assert_type(words, float)
    assert_type(found, list[Page])
    async with ctx.effect("charge", key="order 7", reconcile=look_up) as charge:
        assert_type(charge.happened, bool)
        assert_type(charge.key, str)
        receipt = await charge.once(pay, 3)
        assert_type(receipt, Page)
    await ctx.step("ask", ask_model)  # type: ignore[call-overload]  # pyright: ignore[reportCallIssue]
    return text


@agent
def careful_in_thread(text: str) -> str:
    assert_type(ctx.step("ask", ask_model, text).wait(), list[Page])
    with ctx.effect("charge", reconcile=lambda key: None) as charge:
        if not charge.happened:
            charge.done({"receipt": 3})
    return text


async def resolving(handle: RunHandle[str]) -> None:
    for effect in await handle.effects():
        await handle.resolve(effect.task, effect.name, Happened(3), by="Ana", note="it is on the statement")


# --- hand-offs that are decided while it runs ------------------------------------------------------


@agent(hops=5, laps=1, on_loop="review")
async def maybe(text: str) -> Page | HandTo:
    if not text:
        return Page("", 1)
    return HandTo(careful_in_thread, text=text, decisions=["go on"], confidence=0.5)


@agent
def maybe_in_thread(text: str) -> Handoff[Page] | HandTo:
    return HandTo("maybe", arguments={"text": text})


@agent
async def router(text: str) -> HandTo:
    return HandTo(maybe, text=text)


assert_type(maybe, Agent[Page])
assert_type(maybe_in_thread, Agent[Page])
assert_type(router, Agent[Any])


@agent
async def delegates(text: str) -> str:
    assert_type(await ctx.delegate(maybe, text=text), Page)
    await ctx.delegate("maybe", arguments={"text": text}, budget=Spending(tokens=100, cost=0.5))
    async with ctx.spend(tokens=100) as spent:
        spent.tokens = 3
    return text


@agent
def delegates_in_thread(text: str) -> Page:
    return ctx.delegate(maybe, text=text).wait()
