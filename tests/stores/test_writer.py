"""The writer: group commit, who waits for whom, and what happens when a commit fails."""

import asyncio
import fcntl
import os
import threading
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import apsw
import pytest

from segue.errors import KeyConflict, StoreCorrupt, StoreFull, StoreUnavailable
from segue.stores.sqlite import SqliteStore
from segue.stores.sqlite.file import committing, wal, writer
from segue.stores.sqlite.file.committing import Committer
from segue.stores.sqlite.transaction import Unforeseen
from segue.stores.sqlite.transitions import settling
from segue.testing.conformance.desk import LEASE_SECONDS, WORKER, Desk, handoff, release, root, settlement

OpenDesk = Callable[..., Coroutine[Any, Any, Desk]]


class Groups:
    """Notes each group that is committed: how many operations, and in which thread."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.sizes: list[int] = []
        self.threads: list[int] = []
        original = Committer.commit

        def commit(committer: Committer, operations: Any, *, wait: bool) -> Any:
            self.sizes.append(len(operations))
            self.threads.append(threading.get_ident())
            return original(committer, operations, wait=wait)

        patch.setattr(Committer, "commit", commit)


async def settled(*awaitables: Any) -> None:
    """Give tasks that need only the loop the time to get as far as they can."""
    await asyncio.wait([asyncio.ensure_future(each) for each in awaitables], timeout=0)


async def test_the_quick_way_is_left_only_when_it_must_be(
    open_desk: OpenDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A batch of live tokens is never written one by one; a stale one among them makes it so, with the same result."""
    desk = await open_desk()
    alone: list[str] = []
    original = settling._settle_alone

    def count(tx: Any, each: Any, *rest: Any) -> Any:
        alone.append(each.token.node)
        return original(tx, each, *rest)

    monkeypatch.setattr(settling, "_settle_alone", count)
    _, claims = await desk.start("a", "b", "c", waits_for=3)
    await desk.settle(*(settlement(claim, handoff(), release(f"{claim.token.node}2")) for claim in claims))
    assert alone == []
    _, (a, b) = await desk.start("a", "b", waits_for=2)
    stale = a._replace(token=a.token._replace(claim="another"))
    answers = await desk.settle(*(settlement(claim, handoff()) for claim in (b, stale, a)))
    assert alone == ["b", "a", "a"]
    assert [answer.verdict for answer in answers] == ["accepted", "stale", "accepted"]


async def test_without_the_careful_way_good_work_is_lost(
    open_desk: OpenDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The fallback is needed: were the quick way simply tried again, a live settlement would fail with a stale one."""
    desk = await open_desk()
    _, (a, b) = await desk.start("a", "b", waits_for=2)
    stale = a._replace(token=a.token._replace(claim="another"))
    original = Committer._attempt
    monkeypatch.setattr(
        Committer,
        "_attempt",
        lambda self, operations, wait, careful: original(self, operations, wait, careful=False),
    )
    with pytest.raises(Unforeseen):
        await desk.settle(settlement(b, handoff()), settlement(stale, handoff()))


async def test_whatever_waits_is_committed_together(
    open_desk: OpenDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Fifty calls at once make a few transactions, not fifty, and each caller gets its own answer."""
    desk = await open_desk("durable", inline=False)
    groups = Groups(monkeypatch)
    runs = [desk.new_run(root("a", f"claim-{number}")) for number in range(50)]
    answers = await asyncio.gather(*(desk.store.submit([new], WORKER, LEASE_SECONDS) for new in runs))
    assert [answer[0].run for answer in answers] == [new.run for new in runs]
    assert sum(groups.sizes) == 50
    assert len(groups.sizes) < 25


async def test_one_bad_call_does_not_take_others_with_it(
    open_desk: OpenDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a group a call that raises, or finds its token stale, fails alone."""
    desk = await open_desk("durable", inline=False)
    run, (a,) = await desk.start("a")
    await desk.store.submit([desk.new_run(key="k")], WORKER, LEASE_SECONDS)
    groups = Groups(monkeypatch)
    good = desk.new_run(root("a"))
    conflict = desk.new_run(key="k", text='{"other":1}')
    stale = a._replace(token=a.token._replace(claim="another"))
    answers = await asyncio.gather(
        desk.end(a),
        desk.store.submit([conflict], WORKER, LEASE_SECONDS),
        desk.end(stale),
        desk.store.submit([good], WORKER, LEASE_SECONDS),
        return_exceptions=True,
    )
    assert max(groups.sizes) > 1
    assert isinstance(answers[1], KeyConflict)
    assert (await desk.task(run, "a")).state == "complete"
    assert (await desk.run(good.run)).state == "running"
    assert await desk.store.read_run(conflict.run) is None


@pytest.mark.parametrize(("durability", "inline"), [("fast", True), ("fast", False), ("durable", True)])
async def test_a_commit_is_made_where_it_is_asked_for(
    open_desk: OpenDesk, monkeypatch: pytest.MonkeyPatch, durability: str, inline: bool
) -> None:
    """A fast commit is made in the loop's thread, a durable one when nothing else needs the loop."""
    desk = await open_desk(durability, inline=inline)
    groups = Groups(monkeypatch)
    await desk.start("a")
    assert groups.threads == [threading.get_ident()]


async def test_a_durable_commit_leaves_a_busy_loop_alone(
    open_desk: OpenDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While something else needs the loop a durable commit waits for the disk in the writer's thread."""
    desk = await open_desk("durable", inline=False)
    groups = Groups(monkeypatch)
    await desk.start("a")
    assert threading.get_ident() not in groups.threads


async def test_a_lock_that_is_taken_does_not_stop_the_loop(open_desk: OpenDesk, path: Path) -> None:
    """While another process writes, callers wait and everything else goes on."""
    desk = await open_desk()
    other = os.open(path.with_name("segue.db.d") / "write.lock", os.O_RDWR)
    fcntl.flock(other, fcntl.LOCK_EX)
    call = asyncio.ensure_future(desk.start("a"))
    await settled(call)
    assert not call.done()
    assert await desk.store.list_runs(10) == []
    os.close(other)
    run, _ = await asyncio.wait_for(call, 10.0)
    assert (await desk.run(run)).state == "running"


async def test_another_program_with_the_file_open_for_writing(open_desk: OpenDesk, path: Path) -> None:
    """A program that knows nothing of the lock, such as a database browser, is waited for in the thread."""
    desk = await open_desk()
    browser = apsw.Connection(str(path))
    browser.execute("BEGIN IMMEDIATE")
    call = asyncio.ensure_future(desk.start("a"))
    await settled(call)
    assert not call.done()
    browser.execute("COMMIT")
    browser.close()
    await asyncio.wait_for(call, 10.0)


async def test_a_file_that_stays_locked_is_an_error_with_a_remedy(
    open_desk: OpenDesk, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A write that another program does not let through is refused after a while, and can be repeated."""
    monkeypatch.setattr(committing, "BUSY_MILLISECONDS", 20)
    desk = await open_desk()
    browser = apsw.Connection(str(path))
    browser.execute("BEGIN IMMEDIATE")
    new = desk.new_run(root("a"))
    with pytest.raises(StoreUnavailable, match="locked by another program"):
        await desk.store.submit([new], WORKER, LEASE_SECONDS)
    browser.execute("ROLLBACK")
    browser.close()
    (submitted,) = await desk.store.submit([new], WORKER, LEASE_SECONDS)
    assert submitted.created


async def test_a_caller_that_is_cancelled_loses_nothing_and_halves_nothing(
    open_desk: OpenDesk, path: Path
) -> None:
    """A call that was cancelled while it waited is committed, whole and once, and can be repeated."""
    desk = await open_desk("durable", inline=False)
    run, (a,) = await desk.start("a")
    other = os.open(path.with_name("segue.db.d") / "write.lock", os.O_RDWR)
    fcntl.flock(other, fcntl.LOCK_EX)
    call = asyncio.ensure_future(desk.end(a, release("b"), run_resolved=1))
    await settled(call)
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    os.close(other)
    assert (await desk.end(a, release("b"), run_resolved=1)).verdict == "repeated"
    assert (await desk.names(run)).count("task.a_agent.complete") == 1


async def test_closing_commits_what_waits(open_desk: OpenDesk, path: Path) -> None:
    """A store that is closed while calls wait commits them first."""
    desk = await open_desk("durable", inline=False)
    other = os.open(path.with_name("segue.db.d") / "write.lock", os.O_RDWR)
    fcntl.flock(other, fcntl.LOCK_EX)
    calls = [asyncio.ensure_future(desk.start("a")) for _ in range(3)]
    await settled(*calls)
    closing = asyncio.ensure_future(desk.store.close())
    await settled(closing)
    os.close(other)
    await asyncio.wait_for(closing, 10.0)
    runs = [run for run, _ in await asyncio.gather(*calls)]
    again = await open_desk()
    assert sorted(run.run for run in await again.store.list_runs(10)) == sorted(runs)


async def test_closing_does_not_wait_for_ever(
    open_desk: OpenDesk, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where another process keeps the write lock, as one does that was stopped while it wrote, closing is an error."""
    monkeypatch.setattr(writer, "CLOSE_SECONDS", 0.05)
    desk = await open_desk("durable", inline=False)
    other = os.open(path.with_name("segue.db.d") / "write.lock", os.O_RDWR)
    fcntl.flock(other, fcntl.LOCK_EX)
    call = asyncio.ensure_future(desk.start("a"))
    await settled(call)
    with pytest.raises(StoreUnavailable, match="held by another process"):
        await desk.store.close()
    os.close(other)
    await asyncio.wait_for(call, 10.0)


async def test_a_full_disk_stops_progress_with_an_error(open_desk: OpenDesk) -> None:
    """When the file cannot grow the write is refused whole; with room again the same call goes through."""
    desk = await open_desk()
    run, (a,) = await desk.start("a")
    big = handoff('"' + "x" * 2_000_000 + '"')
    connection = _writer_of(desk)._committer._connection
    connection.pragma("max_page_count", 60)
    before = await desk.events()
    with pytest.raises(StoreFull, match="full"):
        await desk.settle(settlement(a, big, release("b"), run_resolved=1))
    assert await desk.events() == before
    assert (await desk.task(run, "a")).state == "claimed"
    connection.pragma("max_page_count", 1_000_000)
    (answer,) = await desk.settle(settlement(a, big, release("b"), run_resolved=1))
    assert (answer.verdict, answer.run_state) == ("accepted", "complete")


async def test_a_row_that_contradicts_the_schema_is_refused_and_named(
    open_desk: OpenDesk, path: Path
) -> None:
    """What the table's own checks refuse is an error of the call, and the store goes on."""
    desk = await open_desk()
    _, (a,) = await desk.start("a")
    await desk.settle(settlement(a, None, ending="retry"))
    (again,) = await desk.claim("a_agent")
    forged = handoff(version=1)._replace(started_at=None)  # type: ignore[arg-type]
    with pytest.raises(StoreCorrupt, match="refused"):
        await desk.settle(settlement(again, forged))
    assert (await desk.end(again)).verdict == "accepted"


async def test_a_mistake_in_an_operation_reaches_its_caller(open_desk: OpenDesk) -> None:
    """An error that is no error of SQLite is raised where it was caused, and nothing of it is kept."""
    desk = await open_desk()
    before = await desk.events()
    with pytest.raises(AttributeError):
        await desk.store.submit([None], WORKER, LEASE_SECONDS)  # type: ignore[list-item]
    assert await desk.events() == before
    await desk.start("a")


async def test_the_log_is_carried_over_and_does_not_grow(
    open_desk: OpenDesk, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However much is written, the log stays within what was made for it, and the file has everything."""
    monkeypatch.setattr(wal, "CHECKPOINT_PAGES", 64)
    monkeypatch.setattr(wal, "GROWN_PAGES", 128)
    desk = await open_desk()
    run, (claim,) = await desk.start("a")
    size = path.with_name("segue.db-wal").stat().st_size
    for step in range(300):
        (claim,) = (await desk.end(claim, release(f"s{step}", claim=f"c{step}"))).claims
    assert path.with_name("segue.db-wal").stat().st_size == size
    assert len(await desk.store.latest_handoffs(run)) == 300


async def test_a_reader_in_an_old_view_is_not_waited_for(
    open_desk: OpenDesk, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While somebody reads an old view the log grows and writing goes on; afterwards it is carried over."""
    monkeypatch.setattr(wal, "CHECKPOINT_PAGES", 64)
    monkeypatch.setattr(wal, "GROWN_PAGES", 128)
    desk = await open_desk()
    _, (claim,) = await desk.start("a")
    reader = apsw.Connection(str(path))
    reader.execute("BEGIN")
    reader.execute("SELECT count(*) FROM run").fetchall()
    for step in range(60):
        (claim,) = (await desk.end(claim, release(f"s{step}", claim=f"c{step}"))).claims
    committer = _writer_of(desk)._committer
    kept = committer.pages_in_log
    assert kept > 128
    reader.execute("COMMIT")
    reader.close()
    for step in range(60, 120):
        (claim,) = (await desk.end(claim, release(f"s{step}", claim=f"c{step}"))).claims
    assert committer.pages_in_log < kept


async def test_a_closed_store_says_so(open_desk: OpenDesk) -> None:
    """Before it is opened and after it is closed every call is refused, with what to do."""
    desk = await open_desk()
    await desk.store.close()
    for call in (desk.start("a"), desk.events(), desk.store.cursor()):
        with pytest.raises(StoreUnavailable, match="not open"):
            await call


def test_another_event_loop_is_refused(path: Path) -> None:
    """A store belongs to the loop that opened it."""
    store = SqliteStore(path, "fast")
    with asyncio.Runner() as first, asyncio.Runner() as second:
        first.run(store.open())
        with pytest.raises(StoreUnavailable, match="another event loop"):
            second.run(store.cursor())
        first.run(store.close())


def _writer_of(desk: Desk) -> Any:
    store = desk.store
    assert isinstance(store, SqliteStore)
    return store._files().writer


def taken_away(path: Path, how: str) -> Path:
    """The file is gone from its place; where it is now."""
    elsewhere = path.rename(path.with_name("elsewhere.db"))
    if how == "replaced":
        path.write_bytes(elsewhere.read_bytes())
    return elsewhere


@pytest.mark.parametrize("how", ["moved", "replaced"])
async def test_nothing_is_acknowledged_of_a_file_that_is_gone(
    open_desk: OpenDesk, path: Path, how: str
) -> None:
    """What nobody would find at its place any more is refused, with the remedy; a file that is put back goes on."""
    desk = await open_desk()
    await desk.start("before")
    elsewhere = taken_away(path, how)
    desk.clock.advance(committing.PLACE_SECONDS)
    for _ in range(2):
        with pytest.raises(StoreUnavailable, match="was deleted, moved or replaced while it was open"):
            await desk.start("in vain")
    os.replace(elsewhere, path)
    await desk.start("after")
    assert len(await desk.store.list_runs(10)) == 2
