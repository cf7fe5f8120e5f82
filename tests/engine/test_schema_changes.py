"""
Old code and new code at work on one store: what is older is brought up, what is newer is left to others, and what
changed without saying so is refused when it is sent.
"""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import pytest_asyncio

from segue import RunFailed, SchemaDrift, Segue
from segue.app.deploying import plan_deployment
from segue.app.offering import all_of
from segue.domain.graph.code_schemas import code_schemas
from segue.domain.graph.deploying import Needs
from segue.domain.records import ClaimRequest
from segue.engine.registry import Registry
from segue.errors import DefinitionError, NewerPayload
from tests.changes import CHANGES, Changed

AGENTS = """
from segue import Handoff, Later, Ref, agent, workflow

seen = []

@agent
async def find(value: dict[str, Any]) -> Found:
    return value

@agent
async def use(found: Found) -> dict[str, Any]:
    seen.append(found)
    return found if isinstance(found, dict) else found.model_dump()

@workflow
def flow(value: dict[str, Any]) -> dict[str, Any]:
    return use(find(value))
"""

Load = Callable[..., ModuleType]


@pytest.fixture
def load(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Load:
    """Loads a text as a module of its own, whatever other versions of it there are in this process."""
    count = 0
    monkeypatch.syspath_prepend(tmp_path)

    def loaded(text: str) -> ModuleType:
        nonlocal count
        count += 1
        name = f"flows_{count}"
        module = ModuleType(name)
        path = tmp_path / f"{name}.py"
        path.write_text(text)
        sys.modules[name] = module
        exec(compile(text, str(path), "exec", dont_inherit=True), vars(module))
        return module

    return loaded


class Deployment:
    """One store file with workers of different code on it."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._open: list[Segue] = []

    async def start(self, *agents: Any, worker: bool = True) -> Segue:
        segue = Segue(self._url, agents=agents, durability="fast", worker=worker)
        await segue.__aenter__()
        self._open.append(segue)
        return segue

    async def stop(self, segue: Segue) -> None:
        self._open.remove(segue)
        await segue.__aexit__(None, None, None)

    async def close(self) -> None:
        while self._open:
            await self.stop(self._open[-1])


@pytest_asyncio.fixture
async def deployment(tmp_path: Path) -> AsyncIterator[Deployment]:
    deployment = Deployment(str(tmp_path / "segue.db"))
    yield deployment
    await deployment.close()


async def planned(client: Segue, code: ModuleType) -> Needs:
    """What a deployment of this code is said to mean for the run in flight."""
    offer = all_of([code])
    plans = await plan_deployment(client.host.store, offer, code_schemas(offer.agents))
    return plans[0].needs


@pytest.mark.parametrize("case", CHANGES, ids=lambda case: case.name)
async def test_what_is_in_flight_under_the_old_version(
    case: Changed, load: Load, deployment: Deployment
) -> None:
    """A hand-off of the old code reaches the new: by the upcaster, or as it is where the change breaks no reader."""
    old = load(case.source("old", "1") + AGENTS)
    for with_upcaster in (True, False):
        new = load(case.source("new", "2", with_upcaster=with_upcaster) + AGENTS)
        sender = await deployment.start(old.find)
        client = await deployment.start(worker=False)
        handle = await client.submit(old.flow, case.old_value)
        await handle.handoff("find")
        await deployment.stop(sender)
        helps = with_upcaster or not case.breaks_readers
        assert await planned(client, new) == ("compatible" if helps else "needs upcaster")
        receiver = await deployment.start(new.use)
        if helps:
            await handle.result()
            assert isinstance(new.seen[0], dict if case.base == "TypedDict" else new.Found)
        else:
            with pytest.raises(RunFailed, match=r"Found@1 read as Found@2, without an upcaster"):
                await handle.result()
            assert new.seen == []
        await deployment.stop(receiver)
        await deployment.stop(client)


@pytest.mark.parametrize("case", CHANGES, ids=lambda case: case.name)
async def test_a_newer_hand_off_is_left_to_newer_workers(
    case: Changed, load: Load, deployment: Deployment
) -> None:
    """An old worker beside new ones gives a newer hand-off back before its agent runs; a new one gets it."""
    old, new = load(case.source("old", "1") + AGENTS), load(case.source("new", "2") + AGENTS)
    client = await deployment.start(worker=False)
    await deployment.start(new.find)
    await deployment.start(old.use)
    handle = await client.submit(old.flow, case.new_value)
    await handle.handoff("find")
    async for event in client.events(handle.run, names="task.use.unreadable"):
        assert event.data == (
            '{"requires":"Found@2","message":"\'found\' of use: it holds Found@2, which is newer than this process '
            'can read"}'
        )
        break
    assert await planned(client, old) == "needs old workers"
    (_, task) = await client.host.store.read_tasks(handle.run)
    assert (task.requires, task.failures, task.attempt, task.state) == ("Found@2", 0, 0, "ready")
    assert not await client.host.store.claim(ClaimRequest("old", "claim", 9, ("use",), (), 10.0))
    assert old.seen == []
    await deployment.start(new.use)
    await handle.result()
    assert len(new.seen) == 1
    assert old.seen == []


@pytest.mark.parametrize(
    "case",
    [case for case in CHANGES if case.breaks_readers or case.breaks_writers],
    ids=lambda case: case.name,
)
async def test_a_change_that_does_not_say_so_is_refused(
    case: Changed, load: Load, deployment: Deployment
) -> None:
    """Under the same version a sender is refused before its hand-off is written, a submission before the run is."""
    old, new = load(case.source("old", "1") + AGENTS), load(case.source("new", "1") + AGENTS)
    client = await deployment.start(worker=False)
    handle = await client.submit(old.flow, case.new_value)
    assert await planned(client, new) == "needs old workers"
    await deployment.start(new.find)
    with pytest.raises(RunFailed, match=r"find: SchemaDrift: find: Found@1 is not what was registered"):
        await handle.result()
    assert [each.node for each in await client.host.store.latest_handoffs(handle.run, ["use"])] == []
    with pytest.raises(SchemaDrift, match=r"workflow 'flow': Found@1 is not what was registered") as caught:
        await client.submit(new.flow, case.new_value)
    assert case.field in caught.value.fields or (case.field == "" and caught.value.fields)
    assert len(await client.host.store.list_runs(10)) == 1


async def test_an_edit_of_the_code_strands_nothing(load: Load, deployment: Deployment) -> None:
    """The body of an agent, docstrings, defaults and their order are edited: what is in flight goes on."""
    first = CHANGES[0].source("old", "1")
    old = load(first.replace("a: int", "'''One.'''\n    a: int\n    b: str = 'x'") + AGENTS)
    edited = first.replace("a: int", "'''Two.'''\n    b: str = 'another'\n    a: int")
    new = load(
        edited
        + AGENTS.replace(
            "    seen.append(found)\n",
            '    """Says what it does."""\n    seen.append(found)\n    await nothing()\n',
        )
        + "\nasync def nothing() -> None:\n    pass\n"
    )
    client = await deployment.start(worker=False)
    sender = await deployment.start(old.find)
    handles = [await client.submit(old.flow, {"a": 1}) for _ in range(3)]
    await handles[0].handoff("find")
    await deployment.stop(sender)
    await deployment.start(new)
    assert [(await handle.result())["a"] for handle in handles] == [1, 1, 1]
    assert (await (await client.submit(new.flow, {"a": 2})).result())["a"] == 2


TRACE = """
@payload(version="2")
class Found(BaseModel):
    a: int
    reasoning_trace: str

@upcast(Found, "1", "2")
def up(data):
    return {**data, "reasoning_trace": "none was kept"}
"""

CROSSINGS = """
from segue import Handoff, Later, Ref, agent, condition, workflow

@agent
async def find(value: dict[str, Any]) -> Found:
    return value

@agent
async def several(value: dict[str, Any]) -> list[Found]:
    return [value, value]

@condition
def fits(found: Found) -> bool:
    return found.a == 1

@agent
async def use(
    plain: Found, many: list[Found], literal: dict[str, Found], whole: Handoff[Found], pointer: Ref[Found],
    later: Later[Found], field: int, given: Found, constant: Found,
) -> list[dict[str, Any]]:
    assert field == 1
    one = [plain, *many, literal["x"], whole.output, await pointer.fetch(), await later, given, constant]
    return [each.model_dump() for each in one]

@agent(isolation="process")
async def apart(plain: Found, whole: Handoff[Found], pointer: Ref[Found], later: Later[Found]) -> list[dict[str, Any]]:
    return [each.model_dump() for each in [plain, whole.output, await pointer.fetch(), await later]]

@agent
async def each(found: Found) -> dict[str, Any]:
    return found.model_dump()

@workflow
def flow(value: dict[str, Any], given: Found) -> list[Any]:
    found, many = find(value), several(value)
    last = use.when(fits(found))(
        plain=found, many=many, literal={"x": found}, whole=found, pointer=found, later=found, field=found.a,
        given=given, constant={"a": 1},
    )
    return [last, each.map(many), apart(found, found, found, found), found]
"""


async def test_every_crossing_is_brought_up(load: Load, deployment: Deployment) -> None:
    """Values, envelopes, pointers, `Later`s, inputs, constants, elements of a map, conditions; in children too."""
    head = CHANGES[0].source("old", "1").partition("@payload")[0]
    old, new = load(CHANGES[0].source("old", "1") + CROSSINGS), load(head + TRACE + CROSSINGS)
    client = await deployment.start(worker=False)
    sender = await deployment.start(old.find, old.several)
    handle = await client.submit(old.flow, {"a": 1}, {"a": 1})
    await handle.handoff("find")
    await handle.handoff("several")
    await deployment.stop(sender)
    await deployment.start(new.use, new.each, new.fits, new.apart)
    used, mapped, apart, found = await handle.result()
    whole = {"a": 1, "reasoning_trace": "none was kept"}
    assert used == [whole] * 9
    assert mapped == [whole] * 2
    assert apart == [whole] * 4
    assert found == {"a": 1}


async def test_an_older_worker_sends_in_a_newer_run(load: Load, deployment: Deployment) -> None:
    """A run of the new code takes what an old worker makes, also where a path leads to what only the new code has."""
    head = CHANGES[0].source("old", "1").partition("@payload")[0]
    tail = """
from segue import agent, workflow

@agent
async def find(value: dict[str, Any]) -> Found:
    return value

@agent
async def use(text: str, found: Found) -> str:
    return f"{text}, {found.a}"
"""
    flow = """
@workflow
def flow(value: dict[str, Any]) -> str:
    found = find(value)
    return use(found.reasoning_trace, found)
"""
    old, new = load(CHANGES[0].source("old", "1") + tail), load(head + TRACE + tail + flow)
    client = await deployment.start(worker=False)
    await deployment.start(old.find)
    handle = await client.submit(new.flow, {"a": 7})
    await handle.handoff("find")
    await deployment.start(new.use)
    assert await handle.result() == "none was kept, 7"


async def test_a_process_has_one_version(load: Load, deployment: Deployment) -> None:
    """Agents with two versions of a payload are refused before anything is claimed; so is a version that goes back."""
    old, new = load(CHANGES[0].source("old", "3") + AGENTS), load(CHANGES[0].source("new", "2") + AGENTS)
    segue = await deployment.start(old.use)
    with pytest.raises(DefinitionError, match=r"has Found@2, and this process has Found@3 already"):
        segue.host.know(new.find)
    await segue.submit(old.flow, {"a": 1})
    client = await deployment.start(worker=False)
    with pytest.raises(
        SchemaDrift, match="the version of Found goes backwards: '3' is registered, and '2' is new"
    ):
        await client.submit(new.flow, {"a": 1, "b": ""})


async def test_a_result_that_is_newer_than_its_reader_says_so(load: Load, deployment: Deployment) -> None:
    """Whoever reads a result with older code hears that it is newer, and not that something is wrong with it."""
    text = """
from segue import agent, workflow

@agent
async def find(value: dict[str, Any]) -> Found:
    return value

@workflow
def flow(value: dict[str, Any]) -> Found:
    return find(value)
"""
    old = load(CHANGES[0].source("old", "1") + text)
    new = load(CHANGES[0].source("new", "2") + text)
    client = await deployment.start(worker=False)
    await deployment.start(new.find)
    handle = await client.submit(old.flow, {"a": 1, "b": "x"})
    with pytest.raises(NewerPayload, match=r"the result of run .* holds Found@2") as caught:
        await handle.result()
    assert caught.value.requires == "Found@2"


def test_reads_are_what_is_beyond_the_first_version(load: Load) -> None:
    """A worker says the highest version of each payload that its agents take or give, if that is not the first."""
    registry = Registry()
    old = load(CHANGES[0].source("old", "1") + AGENTS)
    registry.add(all_of([old]).agents, {})
    assert registry.reads == ()
    other = Registry()
    other.add(all_of([load(CHANGES[0].source("new", "2") + AGENTS)]).agents, {})
    assert other.reads == ("Found@2",)


async def test_a_later_that_turns_out_newer_ends_the_attempt(load: Load, deployment: Deployment) -> None:
    """Whatever the agent makes of the error, its task is left to newer workers, and that counts as no attempt."""
    text = """
from segue import Later, agent, workflow

@agent
async def find(value: dict[str, Any]) -> Found:
    return value

@agent
async def use(goal: str, later: Later[Found]) -> str:
    try:
        return f"{goal}: {(await later).a}"
    except Exception as error:
        return f"swallowed {error}"

@workflow
def flow(goal: str, value: dict[str, Any]) -> str:
    return use(goal, find(value))
"""
    old, new = load(CHANGES[0].source("old", "1") + text), load(CHANGES[0].source("new", "2") + text)
    client = await deployment.start(worker=False)
    await deployment.start(old.use)
    await deployment.start(new.find)
    handle = await client.submit(old.flow, "sum", {"a": 7, "b": "x"})
    async for _ in client.events(handle.run, names="task.use.unreadable"):
        break
    await deployment.start(new.use)
    assert await handle.result() == "sum: 7"


async def test_an_answer_that_turns_out_newer_ends_the_attempt(load: Load, deployment: Deployment) -> None:
    """What newer code has answered to a delegation is left to newer workers too, by the old one that asks again."""
    text = """
import asyncio
from segue import agent, ctx, workflow

@agent
async def find(value: dict[str, Any]) -> Found:
    return value

@agent
async def use(goal: str) -> str:
    try:
        found = await ctx.delegate(find, value={"a": 7, "b": "x"})
    except Exception as error:
        return f"swallowed {error}"
    if ctx.epoch == 1:
        await asyncio.Event().wait()  # until its worker stops, and hands it back
    return f"{goal}: {found.a}"

@workflow
def flow(goal: str) -> str:
    return use(goal)
"""
    old, new = load(CHANGES[0].source("old", "1") + text), load(CHANGES[0].source("new", "2") + text)
    client = await deployment.start(worker=False)
    first = await deployment.start(new.use, new.find)
    handle = await client.submit(old.flow, "sum")
    async for _ in client.events(handle.run, names="task.find.complete"):
        break
    await deployment.stop(first)
    await deployment.start(old.use)
    async for _ in client.events(handle.run, names=("task.use.unreadable", "task.use.complete")):
        break
    await deployment.start(new.use, new.find)
    assert await handle.result() == "sum: 7"


async def test_what_nobody_has_pinned_is_brought_up(load: Load, deployment: Deployment) -> None:
    """What an agent gives that only a delegation names is pinned by no graph, and read by newer code like any other."""
    text = """
import asyncio
from segue import HandTo, agent, ctx, workflow

@agent
async def find(a: int) -> Found:
    return Found(a=a)

@agent
async def use(a: int) -> str:
    found = await ctx.delegate(find, a=a)
    if ctx.epoch == 1:
        await asyncio.Event().wait()  # until its worker stops, and hands it back
    return str(found.model_dump())

@workflow
def flow(a: int) -> str:
    return use(a)
"""
    head = CHANGES[0].source("old", "1").partition("@payload")[0]
    old, new = load(CHANGES[0].source("old", "1") + text), load(head + TRACE + text)
    client = await deployment.start(worker=False)
    first = await deployment.start(old.use, old.find)
    handle = await client.submit(old.flow, 7)
    async for _ in client.events(handle.run, names="task.find.complete"):
        break
    await deployment.stop(first)
    await deployment.start(new.use, new.find)
    assert await handle.result() == "{'a': 7, 'reasoning_trace': 'none was kept'}"


async def test_what_is_delegated_must_not_drift(load: Load, deployment: Deployment) -> None:
    """A field added under the same version is refused before an agent is asked whom no graph names."""
    text = """
from segue import agent, ctx, workflow

asked = []

@agent
async def find(a: int) -> Found:
    asked.append(a)
    return Found(a=a)

@agent
async def use(a: int) -> str:
    return str((await ctx.delegate(find, a=a)).a)

@workflow
def flow(a: int) -> str:
    return use(a)
"""
    old, new = load(CHANGES[0].source("old", "1") + text), load(CHANGES[0].source("new", "1") + text)
    client = await deployment.start(worker=False)
    first = await deployment.start(old.use, old.find)
    assert await client.run(old.flow, 7) == "7"
    await deployment.stop(first)
    await deployment.start(new.use, new.find)
    with pytest.raises(RunFailed, match="SchemaDrift: use: Found@1 is not what was registered"):
        await client.run(new.flow, 8)
    assert new.asked == []


async def test_what_was_handed_on_is_brought_up(load: Load, deployment: Deployment) -> None:
    """The arguments of a `HandTo` of the old code reach the agent of the new code in its form."""
    text = """
import asyncio
from segue import HandTo, agent, workflow

@agent
async def first(value: dict[str, Any]) -> str:
    return HandTo(second, found=Found(**value))

@agent
async def second(found: Found) -> str:
    if not hasattr(found, "reasoning_trace"):
        await asyncio.Event().wait()  # until its worker stops, and hands it back
    return str(found.model_dump())

@workflow
def flow(value: dict[str, Any]) -> str:
    return first(value)
"""
    head = CHANGES[0].source("old", "1").partition("@payload")[0]
    old, new = load(CHANGES[0].source("old", "1") + text), load(head + TRACE + text)
    client = await deployment.start(worker=False)
    sender = await deployment.start(old.first)
    handle = await client.submit(old.flow, {"a": 7})
    async for event in client.events(handle.run, names="task.handed_on"):
        assert event.task == "first"
        break
    await deployment.stop(sender)
    await deployment.start(new.second)
    assert await handle.result() == "{'a': 7, 'reasoning_trace': 'none was kept'}"


async def test_what_was_spilled_is_brought_up(load: Load, deployment: Deployment) -> None:
    """An output too large for the envelope is brought up like any other."""
    text = """
from segue import Handoff, agent, workflow

@agent
async def find(size: int) -> Found:
    return Found(a=1, text="x" * size)

@agent
async def use(found: Found, whole: Handoff[Found], text: str) -> list[Any]:
    return [len(found.text), found.b, len(whole.output.text), whole.output.b, len(text)]

@workflow
def flow(size: int) -> list[Any]:
    found = find(size)
    return use(found, found, found.text)
"""
    case = Changed(
        "", "a: int\ntext: str", "a: int\ntext: str\nb: str", {}, {}, "data['b'] = '?'", True, True, "b"
    )
    old = load(case.source("old", "1") + text)
    new = load(case.source("new", "2", with_upcaster=True) + text.replace("a=1", "b='', a=1"))
    client = await deployment.start(worker=False)
    sender = await deployment.start(old.find)
    handle = await client.submit(old.flow, 900_000)
    await handle.handoff("find")
    await deployment.stop(sender)
    await deployment.start(new.use)
    assert await handle.result() == [900_000, "?", 900_000, "?", 900_000]
