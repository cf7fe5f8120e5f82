"""Rows of the matrix: real workers come to harm at a point, and others go on."""

import asyncio
import os
import sys
from pathlib import Path

import pytest

from segue.errors import UsageError
from segue.ports.clock import SystemClock
from segue.testing.chaos.cell import Cell, run_cell
from segue.testing.chaos.failpoint import Failpoint, parse_failpoint
from segue.testing.chaos.matrix import failpoints, run_matrix

UNFENCED = """
from segue.stores.sqlite import settling

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
