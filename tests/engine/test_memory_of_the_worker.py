"""What a worker remembers is a copy: whatever is forgotten is read again, and never something else."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import apsw
import pytest

from segue import Handoff, Ref, RunFailed, Segue, agent, workflow
from segue.engine.inputs import book as book_module
from segue.errors import StoreError


@agent
async def numbers(count: int) -> list[int]:
    return list(range(count))


@agent
async def square(number: int) -> int:
    return number * number


@agent
async def total(squares: list[int], whole: Handoff[list[int]], pointer: Ref[list[int]]) -> int:
    return sum(squares) + len(whole.output) + len(await pointer.fetch())


@workflow
def everything(count: int) -> int:
    found = numbers(count)
    return total(square.map(found), found, found)


async def test_a_worker_that_forgets_everything_reads_it_again(
    segue: Segue, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With no memory of hand-offs, runs or plans between any two steps the result is the same."""
    expected = await segue.run(everything, 4)

    def forget(self: Any, *_: Any) -> None:
        self._runs.clear()
        self._plans.clear()

    reads = 0
    read = book_module.Book.read

    async def counted(self: Any, *args: Any) -> Any:
        nonlocal reads
        reads += 1
        return await read(self, *args)

    monkeypatch.setattr(book_module.Book, "remember", forget)
    monkeypatch.setattr(book_module.Book, "read", counted)
    monkeypatch.setattr(book_module.Book, "get", lambda self, run: None)
    assert await segue.run(everything, 4) == expected
    assert reads > 5


async def test_memory_is_bounded(segue: Segue, monkeypatch: pytest.MonkeyPatch) -> None:
    """More bytes of hand-offs than may be kept push older runs out, and what is counted is what is there."""
    monkeypatch.setattr(book_module, "HANDOFF_BYTES_KEPT", 2000)
    monkeypatch.setattr(book_module, "RUNS_KEPT", 3)
    handles = [await segue.submit(everything, 4) for _ in range(20)]
    assert [await handle.result() for handle in handles] == [22] * 20
    book = segue.host.engine.book
    assert len(book._runs) <= 3
    assert book._bytes_kept == sum(live.bytes_kept for live in book._runs.values())


async def test_changed_bytes_are_never_served(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A hand-off whose stored bytes do not have the digest that the claim names stops the run with an error."""
    path = tmp_path / "segue.db"
    async with Segue(path) as segue:
        handle = await segue.submit(everything, 2)
        await handle.result()
    connection = apsw.Connection(str(path))
    connection.execute("UPDATE handoff SET body = CAST('{\"output\":[7,7]}' AS BLOB)")
    connection.close()
    async with Segue(path, agents=[everything]) as segue:
        live = await segue.host.engine.book.load(handle.run)
        (task,) = await segue.host.store.read_tasks(handle.run, [("total", -1)])
        with pytest.raises(StoreError, match="digest differs"):
            await segue.host.engine.book.read(live, task.pins)


async def test_large_outputs_cross_as_artifacts(segue: Segue) -> None:
    """Above 8 KB a value becomes an artifact by itself: the envelope stays small, the receiver has the whole value."""

    @agent
    async def write(size: int) -> dict[str, Any]:
        return {"title": "big", "text": "x" * size, "more": ["y" * size]}

    @agent
    async def read(whole: dict[str, Any], title: str, text: str) -> list[int]:
        return [len(whole["text"]), len(whole["more"][0]), len(title), len(text)]

    @workflow
    def large(size: int) -> list[int]:
        found = write(size)
        return read(found, found["title"], found["text"])

    handle = await segue.submit(large, 100_000)
    assert await handle.result() == [100_000, 100_000, 3, 100_000]
    (stored,) = await segue.host.store.latest_handoffs(handle.run, ["write"])
    assert len(stored.record.body) < 2_000
    assert len(stored.record.artifacts) == 2
    handoff = await handle.handoff("write")
    assert handoff.output["text"] == "x" * 100_000
    assert "big" in handoff.summary


async def test_an_output_that_does_not_fit_fails_its_task(segue: Segue) -> None:
    """A value of another type than declared is refused where it is sent, with both named."""

    @agent
    async def wrong(text: str) -> int:
        return text  # type: ignore[return-value]

    @workflow
    def once(text: str) -> int:
        return wrong(text)

    with pytest.raises(RunFailed, match=r"wrong: .*int"):
        await segue.run(once, "not a number")
