"""
In a process of its own: a store with a hostile value in one of its cells, and everything that one does with a store.

An audit hook tells of whatever would be code: `python -m tests.security.tampered STRIDE FOLDER` prints one line for
each cell and value that led to any of it, or to an error that is none of Segue's.
"""

import asyncio
import json
import pickle  # noqa: TID251 (to plant what must never be loaded)
import shutil
import sys
import traceback
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import apsw

from segue import Segue
from segue.app.reading import find_run, list_runs, read_drawn, read_task, read_view
from segue.domain.records import SINGLE, task_name
from segue.errors import SegueError
from segue.testing import audit
from tests.security import flows

FORBIDDEN = frozenset(
    {
        "compile", "exec", "marshal.load", "marshal.loads", "pickle.find_class", "os.exec", "os.fork", "os.forkpty",
        "os.posix_spawn", "os.spawn", "os.startfile", "os.system", "subprocess.Popen", "ctypes.dlopen", "pty.spawn",
        "socket.getaddrinfo", "urllib.Request", "shutil.unpack_archive",
    }
)  # fmt: skip
COMMAND = "echo > canary"


class Exploit:
    """What pickle would run."""

    def __reduce__(self) -> Any:
        return exec, ("open('canary', 'w')",)


VALUES: list[str | bytes] = [
    pickle.dumps(Exploit()),
    pickle.dumps(Exploit(), 0),
    b"\xe3\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00",
    b"\xc7\x10\x05\x95canary.main()",
    json.dumps({"lc": 1, "type": "constructor", "id": ["os", "system"], "kwargs": {"command": COMMAND}}),
    json.dumps({"__type__": "os.system", "__args__": [COMMAND]}),
    json.dumps({"py/reduce": [{"py/function": "os.system"}, {"py/tuple": [COMMAND]}]}),
    json.dumps({"$ref": "file:///etc/passwd", "$schema": "http://127.0.0.1:9/schema"}),
    json.dumps({"output": {"class": "canary:main"}, "agent": "tests.security.canary:main"}),
    f"!!python/object/apply:os.system ['{COMMAND}']",
    f"__import__('os').system('{COMMAND}')",
    "tests.security.canary:main",
    "{0.__class__.__mro__}",
    "'; DROP TABLE run; --",
    '[["a",-1,1,"sha256:0","complete"]]',
    "[" * 5_000,
    '{"a":' * 1_000,
    "9" * 5_000,
    "NaN",
    "../../../../etc/passwd",
    "",
]


def cells(path: Path) -> Iterator[tuple[str, str]]:
    """Every column that can hold text or bytes."""
    with closing(apsw.Connection(str(path))) as connection:
        for (table,) in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'").fetchall():
            for _, column, kind, *_ in connection.execute(f'PRAGMA table_info("{table}")').fetchall():
                if kind in {"TEXT", "BLOB"}:
                    yield table, column


def plant(path: Path, table: str, column: str, value: str | bytes) -> bool:
    """Put a value into a cell of every row that takes it; whether any did."""
    with closing(apsw.Connection(str(path))) as connection:
        for given in (value, value.encode() if isinstance(value, str) else value.decode("latin-1")):
            try:
                connection.execute(f'UPDATE OR IGNORE "{table}" SET "{column}" = ?', (given,))
            except apsw.ConstraintError:
                continue
            return bool(connection.changes())
    return False


async def use(path: Path) -> None:
    """Open a store, work for it, and look at everything in it, as far as that goes."""
    async with Segue(str(path), agents=[flows]) as segue:
        store = segue.host.store
        runs = await list_runs(store, 10)
        working = [asyncio.ensure_future(segue.handle(run.run).result()) for run in runs]
        await asyncio.wait(working, timeout=0.05)
        for task in working:
            task.cancel()
        outcomes = await asyncio.gather(*working, return_exceptions=True)
        await audit(store, segue.host.artifacts)
        for run in runs:
            record = await find_run(store, run.run)
            await read_view(store, record, segue.host.clock.wall())
            await read_drawn(store, record)
            for each in await store.read_tasks(record.run):
                await read_task(store, segue.host.artifacts, record, task_name(each.node, each.item))
            await store.read_steps(record.run, "asked", SINGLE)
        for outcome in outcomes:
            if isinstance(outcome, Exception):
                raise outcome


async def make(path: Path) -> None:
    """A store with one of everything: a run that is complete, and one that waits for a process with its agents."""
    async with Segue(str(path)) as segue:
        await segue.run(flows.flow, "a goal")
    async with Segue(str(path), worker=False) as segue:
        await segue.submit(flows.flow, "another")


def try_all(folder: Path, stride: int, heard: list[str]) -> Iterator[str]:
    """Plant each value in every so many of all cells; what came of it."""
    sound = folder / "sound.db"
    asyncio.run(make(sound))
    for number in range(2):  # twice, so that everything is imported before anybody listens
        copy(sound, folder / f"warm-{number}.db")
        asyncio.run(use(folder / f"warm-{number}.db"))
    sys.addaudithook(lambda event, args: heard.extend(telling(event, args)))
    places = list(cells(sound))
    for number, value in enumerate(VALUES):
        for table, column in places[number % stride :: stride]:
            path = folder / "tampered.db"
            copy(sound, path)
            if not plant(path, table, column, value):
                continue
            problem = ""
            try:
                asyncio.run(use(path))
            except SegueError:
                pass
            except Exception as error:  # noqa: BLE001 (it is what we look for)
                frames = [
                    frame
                    for frame in traceback.extract_tb(error.__traceback__)
                    if "/segue/" in frame.filename
                ]
                where = f"{Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else "elsewhere"
                problem = f"{type(error).__name__} at {where}: {error!s:.100}"
            if problem or heard:
                yield f"{table}.{column} = {value[:40]!r}: {problem} {heard}"
            heard.clear()


def telling(event: str, args: Any) -> list[str]:
    """What is worth telling of an event. `ast.parse`, with which a traceback points into our source, makes no code."""
    parses = event == "compile" and args[1] == "<unknown>"
    return [f"{event}{args!r:.200}"] if event in FORBIDDEN and not parses else []


def copy(source: Path, target: Path) -> None:
    """Copy a store that nobody has open."""
    shutil.copyfile(source, target)
    shutil.rmtree(f"{target}.d", ignore_errors=True)
    shutil.copytree(f"{source}.d", f"{target}.d")


if __name__ == "__main__":
    for line in try_all(Path(sys.argv[2]), int(sys.argv[1]), []):
        sys.stdout.write(f"{line}\n")
