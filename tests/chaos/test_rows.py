"""Rows of the matrix: real workers come to harm at a point, and others go on."""

import asyncio
import os
import sys
from pathlib import Path

import pytest

from segue.app.reading import read_graph
from segue.app.segue import Segue
from segue.errors import UsageError
from segue.ports.clock import SystemClock
from segue.ports.store import Store
from segue.testing.chaos.cell import Cell, run_cell
from segue.testing.chaos.failpoint import DISK, Failpoint, parse_failpoint
from segue.testing.chaos.matrix import failpoints, run_matrix
from segue.testing.chaos.workload import NEW_CODE, OLD_CODE

UNFENCED = """
from segue.stores.sqlite.transitions import settling

fenced = settling.SQL.settle_task
unfenced = fenced.replace(" AND epoch = ?4 AND claim = ?5", "").replace(
    "AND (state IN ('claimed', 'ready') OR state = 'paused') AND version = coalesce(?7 - 1, version)",
    "AND ?4 AND ?5 IS NOT NULL",
)
assert "epoch" not in unfenced and "state IN" not in unfenced
settling.SQL = settling.SQL._replace(settle_task=unfenced)
"""


def rows(wanted: list[Failpoint], jobs: int = 2) -> list[Cell]:
    async def run() -> list[Cell]:
        return [cell async for cell in run_matrix(wanted, "durable", SystemClock(), jobs)]

    return asyncio.run(run())


@pytest.mark.parametrize(
    "name",
    [
        "settle.before:kill:2",
        "settle.after:lost:2",
        "review.before:kill:1",
        "review.after:kill:1",
        "consume.after:kill:1",
        "advance.before:kill:1",
        "stumble.after:lost:1",
        "advance.before:stop:1",
        "append.after:kill:1",
        "spend.before:kill:1",
        "hand_on.after:lost:1",
        "unpark.before:kill:1",
        "untangle.after:kill:1",
        "control.before:kill:2",
        "control.after:kill:2",
        "control.after:lost:1",
        "renew.before:stop:1",
        "park.after:kill:1",
        "go_on.before:lost:1",
        "artifact.after:kill:1",
    ],
)
def test_a_row_holds(name: str, tmp_path: Path) -> None:
    """A worker that is killed, stopped or lied to at a commit leaves nothing lost, doubled or stuck."""
    cell = asyncio.run(run_cell(parse_failpoint(name), tmp_path, "durable", SystemClock()))
    assert cell.sprung
    assert cell.held, cell.verdict


def test_a_version_that_no_run_has_pinned(tmp_path: Path) -> None:
    """Newer code that dies while it registers what it is about to send leaves the run of older code whole."""
    cell = asyncio.run(
        run_cell(parse_failpoint("register.before:kill:1"), tmp_path, "durable", SystemClock())
    )
    assert cell.sprung
    assert cell.held, cell.verdict

    async def versions() -> tuple[set[str], bool]:
        async with Segue(str(tmp_path / DISK / "segue.db"), worker=False) as segue:
            store = segue.host.store
            run = await store.find_run("story-1")
            assert run is not None
            pinned = (await read_graph(store, run)).node("start").output_schema
            (sent,) = await store.latest_handoffs(run.run, ["start"])
            payloads = await store.read_payloads()
            return {each.version for each in payloads if each.name == "Numbers"}, sent.record.schema != pinned

    assert asyncio.run(versions()) == ({OLD_CODE, NEW_CODE}, True)


READING = {
    "notifier", "open", "close", "next_due", "read_run", "find_run", "list_runs", "read_graph", "read_growth",
    "read_schema", "read_tasks", "read_reviews", "read_steps", "read_pauses", "read_command", "read_handoffs",
    "latest_handoffs", "tail", "cursor", "list_workers", "artifact_references", "facts", "read_consumers",
    "read_payloads", "read_pools", "read_waits", "read_spending",
}  # fmt: skip
"""What commits nothing."""

NO_ROW = {
    "resolve": "a person's word on a task that nobody works on, from a process that holds nothing",
    "forget_consumer": "a person takes away what nobody holds",
    "prune": "a person takes away runs that have ended, which no worker touches",
}
"""What commits, and is done by people, about what no worker has: why it has no row."""


def test_every_verb_that_commits_has_a_row() -> None:
    """A new verb of the store is one that reads, or has rows in the matrix, or a reason beside its name."""
    verbs = {
        name
        for base in Store.__mro__
        for name in vars(base)
        if callable(getattr(base, name)) or name == "notifier"
    }
    verbs = {name for name in verbs if not name.startswith("_")}
    rows_of = {row.verb for row in failpoints()} - {"artifact", "hand_on"}
    assert verbs == READING | rows_of | NO_ROW.keys()
    assert not READING & rows_of
    assert not NO_ROW.keys() & (READING | rows_of)


def test_a_full_disk_is_survived() -> None:
    """Workers on a disk without room say so, lose nothing, and go on when there is room again."""
    (cell,) = rows([Failpoint("submit", "before", "full")])
    if cell.impossible is not None and not os.environ.get("CI"):
        pytest.skip(cell.impossible)
    assert cell.impossible is None, cell.impossible
    assert cell.held, cell.verdict


def test_a_store_without_a_fence_is_caught(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker that is stopped past its lease and goes on turns the matrix red where nothing compares its token."""
    patched = tmp_path / "patched"
    patched.mkdir()
    (patched / "sitecustomize.py").write_text(UNFENCED)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(patched), *filter(None, sys.path)]))
    cell = asyncio.run(run_cell(parse_failpoint("settle.before:stop:3"), tmp_path, "fast", SystemClock()))
    assert cell.sprung
    assert cell.verdict["once"], cell.verdict
    assert cell.verdict["log"]


@pytest.mark.long
@pytest.mark.timeout(900)
def test_the_whole_matrix_holds() -> None:
    """Every fault at both sides of every commit happened, and none of them did harm."""
    cells = rows(failpoints())
    assert [cell for cell in cells if not cell.held] == []
    if os.environ.get("CI"):
        assert [cell for cell in cells if cell.impossible] == []


@pytest.mark.parametrize(
    "text", ["settle", "settle.during:kill", "drop.before:kill", "settle.before:kill:x", ""]
)
def test_what_is_no_failpoint_is_refused(text: str) -> None:
    """The error names what was typed and what there is."""
    with pytest.raises(UsageError, match=r"settle\.before:kill:3"):
        parse_failpoint(text)
