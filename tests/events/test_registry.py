"""The registry: results of a loop that exists, written once, in order, and not lost."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections import Counter
from difflib import unified_diff
from pathlib import Path

import pytest
from pydantic import BaseModel

from segue import GraphError, Handoff, Segue
from segue.errors import AlreadyWritten, KeyConflict, NotReady, StaleEpoch, TaskTaken, UsageError
from segue.testing import audit
from tests.docs.pages import ROOT, blocks
from tests.engine.conftest import Open
from tests.engine.deadlines import soon
from tests.events import dying
from tests.events.test_subscriptions import select

KILLS = 50
DEPENDENCIES = {"test_writer": ["code_reviewer"], "release": ["test_writer", "docs"]}
FILES = {
    block.title: block.text
    for block in blocks(ROOT / "docs" / "how-to" / "registry.md")
    if block.title is not None
}


class Review(BaseModel):
    """What an agent makes."""

    good: bool


async def test_results_are_written_and_read(segue: Segue) -> None:
    """Whatever JSON can hold is written and read back by name, a hand-off with all that it says."""
    registry = await segue.registry("T-1", dependencies=DEPENDENCIES)
    await registry.write_result("code_reviewer", Review(good=True))
    await registry.write_result(
        "test_writer", Handoff(["one", "two"], summary="two tests", decisions=["no mocks"])
    )
    assert await registry.read_results() == {"code_reviewer": {"good": True}, "test_writer": ["one", "two"]}
    handoff = await segue.handle(registry.run).handoff("test_writer")
    assert (handoff.summary, handoff.decisions) == ("two tests", ("no mocks",))


async def test_large_results_come_back_whole(segue: Segue) -> None:
    """A result that is too large for an envelope is kept beside it, and read like any other."""
    registry = await segue.registry("T-1", dependencies={"a": []})
    await registry.write_result("a", "x" * 1_000_000)
    assert await registry.read_results() == {"a": "x" * 1_000_000}


async def test_an_agent_knows_what_it_depends_on_and_nothing_else(segue: Segue) -> None:
    """The context of an agent is the results of its dependencies; a missing one is named."""
    registry = await segue.registry("T-1", dependencies=DEPENDENCIES)
    await registry.write_result("code_reviewer", "fine")
    await registry.write_result("docs", "written")
    assert await registry.agent_context("test_writer") == {"code_reviewer": "fine"}
    assert await registry.agent_context("docs") == {}
    with pytest.raises(NotReady, match="release depends on test_writer"):
        await registry.agent_context("release")


async def test_what_is_written_stays(segue: Segue) -> None:
    """The same again is harmless, something else and something too early are refused, each with what is true."""
    registry = await segue.registry("T-1", dependencies=DEPENDENCIES)
    with pytest.raises(NotReady, match="waits for code_reviewer"):
        await registry.write_result("test_writer", "early")
    for _ in range(2):
        await registry.write_result("code_reviewer", {"good": True})
    with pytest.raises(AlreadyWritten, match="code_reviewer"):
        await registry.write_result("code_reviewer", {"good": False})
    assert await registry.read_results() == {"code_reviewer": {"good": True}}


async def test_of_two_loops_one_wins(tmp_path: Path) -> None:
    """Two processes write something else for the same agent at once: one is accepted, the other hears of it."""
    path = tmp_path / "segue.db"
    async with Segue(path, durability="fast") as one, Segue(path, durability="fast", worker=False) as other:
        for number in range(20):
            registries = [await each.registry(f"T-{number}", dependencies={"a": []}) for each in (one, other)]
            assert registries[0].run == registries[1].run
            said = await asyncio.gather(
                *(registry.write_result("a", place) for place, registry in enumerate(registries)),
                return_exceptions=True,
            )
            assert sorted(map(type, said), key=str) == sorted([AlreadyWritten, type(None)], key=str)
            winner = said.index(None)
            assert await registries[0].read_results() == {"a": winner}


async def test_completed_is_a_stream_that_ends(open_segue: Open) -> None:
    """Results come as they are written, those of before first, and the stream ends with the last; it can be resumed."""
    segue = await open_segue()
    registry = await segue.registry("T-1", dependencies=DEPENDENCIES)
    await registry.write_result("code_reviewer", 1)

    async def collect(after: str | None = None) -> list[tuple[str, object, str]]:
        return [done async for done in registry.completed(after=after)]

    collecting = asyncio.ensure_future(collect())
    for agent, result in (("docs", 2), ("test_writer", 3), ("release", 4)):
        await registry.write_result(agent, result)
    seen = await soon(collecting)
    assert [done[:2] for done in seen] == [
        ("code_reviewer", 1),
        ("docs", 2),
        ("test_writer", 3),
        ("release", 4),
    ]
    assert await soon(collect(seen[1][2])) == seen[2:]


async def test_a_claim_keeps_the_work(open_segue: Open) -> None:
    """Claimed work is nobody else's while the block runs, however long, and free when it ends without a result."""
    segue = await open_segue(lease_seconds=0.3)
    registry = await segue.registry("T-1", dependencies=DEPENDENCIES)
    async with registry.claim("code_reviewer"):
        with pytest.raises(TaskTaken, match="claimed by"):
            async with registry.claim("code_reviewer"):
                pass
        with pytest.raises(TaskTaken, match="claimed by"):
            await soon(registry.write_result("code_reviewer", "mine"))
    async with registry.claim("code_reviewer") as work:
        await work.write("fine")
    with pytest.raises(AlreadyWritten):
        async with registry.claim("code_reviewer"):
            pass
    with pytest.raises(NotReady, match="release"):
        async with registry.claim("release"):
            pass
    assert await registry.read_results() == {"code_reviewer": "fine"}


async def test_a_claim_that_was_lost_writes_nothing(segue: Segue) -> None:
    """Whoever was not heard of and superseded cannot write, and says so."""
    registry = await segue.registry("T-1", dependencies={"a": []})
    store, worker = segue.host.store, segue.host.engine.worker
    async with registry.claim("a") as late:
        await store.expire([worker])
        async with registry.claim("a") as work:
            await work.write("right")
        with pytest.raises(StaleEpoch, match="somebody else"):
            await late.write("late")
        late.written = True
    assert await registry.read_results() == {"a": "right"}


async def test_what_cannot_be_a_registry(segue: Segue) -> None:
    """A circle, no agents, no list, a bad name, other dependencies, an agent that is not there: each is told."""
    with pytest.raises(GraphError, match="wait for one another in a cycle"):
        await segue.registry("T-1", dependencies={"a": ["b"], "b": ["c"], "c": ["a"]})
    with pytest.raises(GraphError, match="cycle"):
        await segue.registry("T-1", dependencies={"a": ["a"]})
    with pytest.raises(UsageError, match="no agents"):
        await segue.registry("T-1", dependencies={})
    with pytest.raises(UsageError, match="no list"):
        await segue.registry("T-1", dependencies={"a": "bc"})
    with pytest.raises(UsageError, match="task_id is empty"):
        await segue.registry("", dependencies={"a": []})
    with pytest.raises(UsageError, match="a b"):
        await segue.registry("T-1", dependencies={"a b": []})
    registry = await segue.registry("T-1", dependencies=DEPENDENCIES)
    again = await segue.registry("T-1", dependencies={**DEPENDENCIES, "release": ["docs", "test_writer"]})
    assert again.run == registry.run
    with pytest.raises(KeyConflict):
        await segue.registry("T-1", dependencies={"a": []})
    for refused in (registry.write_result("nobody", 1), registry.agent_context("nobody")):
        with pytest.raises(UsageError, match="no agent 'nobody'"):
            await refused


def test_the_loop_of_the_page_changes_where_it_reads_and_writes() -> None:
    """Of about forty lines only those differ that open, read or write; not one that calls agents or decides."""
    before, after = (FILES[name].splitlines() for name in ("before.py", "after.py"))
    assert 35 <= len(before) <= 45
    changed = [line[1:].strip() for line in unified_diff(before, after, n=0) if line[:1] in "+-"][2:]
    told = Counter(line for line in changed if line)
    where = ("redis", "registry", "Redis", "Registry", "Segue", "json", "needs", "texts", "done = {", "}")
    again = [line for line, count in told.items() if count > 1]  # moved to the right
    assert [line for line in told if line not in again and not any(word in line for word in where)] == []


async def test_killed_at_fifty_points_nothing_is_lost_or_done_twice(tmp_path: Path) -> None:
    """The loop of the page, killed with SIGKILL around fifty commits, ends with every result, each written once."""
    assert kill(tmp_path) == {f"registry:T-{number}": 1 for number in range(dying.TICKETS)}
    written = Counter(
        select(tmp_path, "SELECT run || task FROM event WHERE name LIKE 'task.registry.%.complete'")
    )
    assert set(written.values()) == {1}
    assert len(written) == 5 * dying.TICKETS
    async with Segue(tmp_path / "segue.db", worker=False) as segue:
        assert await audit(segue.host.store, segue.host.artifacts) == []
        (newest,) = await segue.host.store.list_runs(1)
        assert newest.state == "complete"


def test_without_a_key_it_would_begin_anew(tmp_path: Path) -> None:
    """The same deaths show a registry that does not find what it has begun."""
    kill(tmp_path, "--forget")
    assert len(select(tmp_path, "SELECT run FROM run")) > dying.TICKETS


def kill(folder: Path, *flags: str) -> Counter[str]:
    """Let the loop die; the registries that there are, by their keys."""
    for name in ("agents.py", "after.py"):
        (folder / name).write_text(FILES[name])
    command = [sys.executable, dying.__file__, "registry", str(folder), str(KILLS), *flags]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.stdout == f"{KILLS}\n", done.stdout + done.stderr
    return Counter(key for (key,) in select(folder, "SELECT key FROM run"))
