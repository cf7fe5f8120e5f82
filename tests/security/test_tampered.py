"""Whatever stands in a store is data: it is refused or shown, and never run, imported or fetched."""

import os
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import apsw
import pytest

from segue import Segue
from segue.app.reading import find_run, read_task
from segue.domain.records import task_name
from segue.errors import SegueError, StoreCorrupt
from segue.testing import audit
from tests.security import flows, tampered


def listen(folder: Path, program: str) -> list[str]:
    """Run a program that plants and listens; the lines that it prints."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, *program.split(), str(folder)]
    ended = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    return ended.stdout.splitlines()


@pytest.mark.parametrize("stride", [11, pytest.param(1, marks=[pytest.mark.long, pytest.mark.timeout(900)])])
def test_nothing_in_a_store_is_code(tmp_path: Path, stride: int) -> None:
    """
    20 hostile values in every cell of text or bytes, or in some, then everything that one does with a store: nothing is
    compiled, run, imported, unpickled or fetched, and whatever cannot be understood is an error of Segue's.
    """
    assert listen(tmp_path, f"-m tests.security.tampered {stride}") == []
    assert not (tmp_path / "canary").exists()


def test_what_is_run_would_be_heard(tmp_path: Path) -> None:
    """The same listener tells of a value that is unpickled, of a command and of a module that is imported."""
    program = tmp_path / "careless.py"
    program.write_text(
        "import os, pickle, sys\n"
        "from tests.security.tampered import VALUES, telling\n"
        "heard = []\n"
        "sys.addaudithook(lambda event, args: heard.extend(telling(event, args)))\n"
        "pickle.loads(VALUES[0])\n"
        "os.system('true')\n"
        "import tests.security.canary\n"
        "print(*heard, sep='\\n')\n"
    )
    told = {line.partition("(")[0] for line in listen(tmp_path, str(program))}
    assert {"pickle.find_class", "os.system", "exec"} <= told
    assert (tmp_path / "canary").exists()


@pytest.fixture
async def path(tmp_path: Path) -> Path:
    await tampered.make(tmp_path / "segue.db")
    return tmp_path / "segue.db"


def handoffs(path: Path) -> list[tuple[str, str, int, int, bytes]]:
    """Run, task, item, number and body of every hand-off."""
    with closing(apsw.Connection(str(path))) as connection:
        rows = "SELECT run, node, item, id, body FROM task JOIN handoff ON handoff.id = task.handoff"
        return list(connection.execute(rows).fetchall())


def change(path: Path, number: int, body: bytes) -> None:
    with closing(apsw.Connection(str(path))) as connection:
        connection.execute("UPDATE handoff SET body = ? WHERE id = ?", (body, number))


async def test_one_bit_of_a_handoff_is_noticed(path: Path) -> None:
    """A hand-off of which one bit was turned is neither shown nor handed out, and the auditor names it."""
    stored = handoffs(path)
    assert len(stored) == 4
    for run, node, item, number, body in stored:
        at = len(body) // 2
        change(path, number, body[:at] + bytes([body[at] ^ 1]) + body[at + 1 :])
        async with Segue(str(path), agents=[flows], worker=False) as segue:
            store = segue.host.store
            assert any("is damaged" in problem for problem in await audit(store))
            record = await find_run(store, run)
            with pytest.raises(StoreCorrupt, match="was changed"):
                await read_task(store, segue.host.artifacts, record, task_name(node, item))
            with pytest.raises(StoreCorrupt, match="was changed"):
                await segue.handle(run).handoff(task_name(node, item))
        change(path, number, body)


async def test_a_changed_handoff_starts_no_agent(path: Path) -> None:
    """An input whose bytes are not those that were handed over is refused before its receiver runs."""
    async with Segue(str(path), agents=[flows.asked]) as segue:  # only the first agent is there
        (open_run,) = [each.run for each in await segue.host.store.list_runs(5) if each.state == "running"]
        await segue.handle(open_run).handoff("asked")
    for run, _, _, number, body in handoffs(path):
        if run == open_run:
            change(path, number, body.replace(b"another", b"changed"))
    async with Segue(str(path), agents=[flows]) as segue:
        with pytest.raises(SegueError, match="digest differs"):
            await segue.handle(open_run).result()
        tasks = {task.node: task.state for task in await segue.host.store.read_tasks(open_run)}
        assert tasks.get("counted") != "expanded"
