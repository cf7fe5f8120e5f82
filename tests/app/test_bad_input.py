"""Whatever is given to the front door: it is taken, or refused with an error that says what to give instead."""

import asyncio
import inspect
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any

import pytest

import segue
from segue import (
    Artifact,
    DidNotHappen,
    Handoff,
    HandTo,
    Person,
    Pool,
    Quorum,
    Retry,
    Review,
    Segue,
    SegueError,
    Spending,
    Usage,
    agent,
    graph_from_data,
    handoff_schema,
    route_by_next_step,
    workflow,
)
from segue.errors import StoreUnavailable, UsageError

HUGE = 10**400
JUNK: tuple[Any, ...] = (
    *(5, -1, HUGE, 2**70, 1e300, float("nan"), float("inf"), True, None),
    *("", " ", "nope", "a[99999999999999999999]", "\x00", "\ud800", "x" * 200_000, b"x"),
    *([], [5], {}, {"a": 1}, {1: 2}, ("a",), {"a"}, object(), len, int, Exception),
)
WAIT_SECONDS = 0.05
"""How long a call that was taken may run: some wait for what will never be."""


@agent
async def double(number: int) -> int:
    """An agent to name."""
    return 2 * number


@workflow
def doubled(number: int) -> int:
    """A run to ask about."""
    return double(number)


def shown(value: Any) -> str:
    """A value as the name of a case, the same in every run."""
    return "a huge number" if value is HUGE else repr(value).partition(" at 0x")[0][:30]


def with_junk(function: Callable[..., Any], given: dict[str, Any]) -> Iterator[tuple[str, Callable[[], Any]]]:
    """Calls of a function with junk in the place of one argument; the others are as `given`."""
    parameters = inspect.signature(function).parameters
    kinds = (inspect.Parameter.VAR_KEYWORD, inspect.Parameter.VAR_POSITIONAL)
    for name, parameter in parameters.items():
        if parameter.kind in kinds:
            continue
        for junk in JUNK:
            values = {each: value for each, value in given.items() if each in parameters} | {name: junk}
            first = [
                values.pop(each)
                for each, one in parameters.items()
                if one.kind is inspect.Parameter.POSITIONAL_ONLY
            ]
            yield f"{name}={shown(junk)}", lambda first=first, values=values: function(*first, **values)  # type: ignore[misc]


async def refused_or_taken(call: Callable[[], Any]) -> None:
    """Make a call to its end, or until it waits. Raises what is no error of Segue's."""
    try:
        answer = call()
        if isinstance(answer, AsyncIterator):
            answer = anext(answer)
        if isinstance(answer, Awaitable):
            await asyncio.wait_for(answer, WAIT_SECONDS)
    except (SegueError, TimeoutError, StopAsyncIteration):
        pass


async def complaints(of: Any, given: dict[str, Any]) -> list[str]:
    """What the methods of an object answered to junk that was no error of Segue's."""
    found = []
    for method, function in inspect.getmembers(of, callable):
        if method.startswith("_") or method in ("claim", "host"):
            continue
        for case, call in with_junk(function, given):
            try:
                await refused_or_taken(call)
            except Exception as error:  # noqa: BLE001 - just those are looked for
                found.append(f"{method}({case}): {type(error).__name__}: {error}")
    return found


async def test_every_method_takes_or_refuses_what_it_is_given() -> None:
    """No argument of a method of `Segue`, of a run's handle or of a registry brings an error of Python's own."""
    async with Segue("memory:", agents=[doubled]) as store:
        handle = await store.submit(doubled, 2)
        assert await handle.result() == 4
        given = {"run": handle.run, "task": "double", "by": "Ana", "workflow": doubled, "digest": "sha256:0"}
        given |= {
            "name": "gpu",
            "capacity": 2,
            "note": "why",
            "approve": True,
            "effect": "pay",
            "outcome": DidNotHappen(),
        }
        given |= {"task_id": "T1", "dependencies": {"test": ["review"]}, "older_than_seconds": 1e9}
        registry = await store.registry("T1", dependencies={"test": ["review"]})
        given |= {"agent": "review", "result": 1}
        found = [line for each in (store, handle, registry) for line in await complaints(each, given)]
    assert found == []


SETTINGS = {
    *("retries", "backoff", "timeout", "idle", "queue", "deadline", "losses", "concurrency", "takes", "slow"),
    *(
        "hops",
        "laps",
        "pool",
        "pools",
        "on_failure",
        "on_overrun",
        "on_loop",
        "fallback",
        "isolation",
        "version",
    ),
    *("decisions", "review", "external", "speculative", "name"),
}
MADE: tuple[tuple[Callable[..., Any], dict[str, Any]], ...] = (
    (Artifact, {"uri": "s3://bucket/key"}),
    (Handoff, {"output": 1}),
    (HandTo, {"agent": double}),
    (Person, {}),
    (Pool, {}),
    (Quorum, {"count": 1}),
    (Retry, {"attempts": 1}),
    (Review, {}),
    (Spending, {}),
    (Usage, {}),
    (graph_from_data, {"data": {}, "agents": {}}),
    (handoff_schema, {"agent": double}),
    (route_by_next_step, {"destinations": {}}),
)


@pytest.mark.filterwarnings("ignore:whether the deadline")
@pytest.mark.parametrize("junk", JUNK, ids=shown)
async def test_every_setting_takes_or_refuses_what_it_is_given(junk: Any) -> None:
    """No setting of an agent or of a run brings an error of Python's own."""
    for name in sorted(SETTINGS):
        await refused_or_taken(lambda name=name: agent(**{name: junk})(double.fn))  # type: ignore[misc]
    async with Segue("memory:") as store:
        for name in ("key", "goal", "constraints", "deadline", "trace", "on_deadlock", "budget", "timeout"):
            await refused_or_taken(lambda name=name: store.with_(**{name: junk}).submit(doubled, 1))  # type: ignore[misc]
    for name in ("url", "agents", "durability", "concurrency", "lease_seconds", "worker"):
        if not (name == "url" and isinstance(junk, str | bytes)):
            await refused_or_taken(lambda name=name: Segue(**{"url": "memory:", name: junk}))  # type: ignore[misc]


@pytest.mark.parametrize(("make", "given"), MADE, ids=lambda each: getattr(each, "__name__", ""))
async def test_everything_made_takes_or_refuses_what_it_is_given(
    make: Callable[..., Any], given: dict[str, Any]
) -> None:
    """Nothing that users make to hand over, or to say how, brings an error of Python's own."""
    for _, call in with_junk(make, given):
        await refused_or_taken(call)


async def test_an_outcome_that_says_nothing_is_refused() -> None:
    """The class in the place of its value does not pass for an effect that did not happen: that would repeat it."""
    async with Segue("memory:") as store:
        handle = await store.submit(doubled, 2)
        for outcome in (segue.Happened, segue.DidNotHappen, True, None):
            with pytest.raises(UsageError, match="does not say whether the effect happened"):
                await handle.resolve("double", "pay", outcome, by="Ana")  # type: ignore[arg-type]


def test_a_single_text_is_no_list_of_constraints() -> None:
    """It would be taken apart into its letters."""
    with pytest.raises(UsageError, match=r"constraints is no list of texts\n.*constraints=\["):
        Segue("memory:").with_(constraints="be brief")


async def test_an_address_of_sqlite_is_no_place_for_a_store() -> None:
    """`:memory:` would be a file of that name, which nobody wants."""
    for url in (":memory:", "file:segue.db?mode=ro", "segue\x00.db", "", 5, None):
        with pytest.raises(StoreUnavailable):
            async with Segue(url):  # type: ignore[arg-type]
                pass


@pytest.mark.parametrize("junk", [each for each in JUNK if each is not True], ids=shown)
async def test_a_store_is_durable_or_fast_and_a_worker_or_not(junk: Any) -> None:
    """What is neither is refused before anything is opened, whichever store it is; "no" would make a worker."""
    with pytest.raises(StoreUnavailable, match=r"a store cannot be(.|\n)*durability="):
        async with Segue("memory:", durability=junk):
            pass
    with pytest.raises(UsageError, match="worker is"):
        Segue("memory:", worker=junk)
