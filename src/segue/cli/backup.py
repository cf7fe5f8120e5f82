"""Copies for bad days: `segue backup` and `segue restore`."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from segue.cli.opening import within
from segue.cli.output import DebugOption, JsonOption, err, guarded, out, plain, print_json

if TYPE_CHECKING:
    from segue.app.host import Host
    from segue.stores.sqlite.file.backing import Manifest, Told


@guarded
def backup(
    store: Annotated[str, typer.Argument(metavar="STORE", help="The store: a path or a URL.")],
    destination: Annotated[
        Path, typer.Argument(metavar="DEST", help="The folder to make; it must not be there.")
    ],
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """
    Back up a store while processes work with it.

    With its artifacts; nobody has to wait for it. The backup is a folder, and it is whole once it is there.
    """
    from segue.ports.clock import SystemClock
    from segue.stores.sqlite.file.backing import back_up

    source = _file(store)

    async def take(host: Host) -> Manifest:
        with _progress(as_json) as told:
            return await asyncio.get_running_loop().run_in_executor(
                None, back_up, source, destination, SystemClock(), told
            )

    _say("Backed up", within(store, take), destination, as_json)


@guarded
def restore(
    source: Annotated[Path, typer.Argument(metavar="BACKUP", help="The folder that `segue backup` made.")],
    store: Annotated[
        str, typer.Argument(metavar="STORE", help="Where to make the store: nothing may be there.")
    ],
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """
    Make a store of a backup.

    It is a new incarnation: what workers of the old one still send is refused, and so are cursors of its events.
    """
    from segue.ports.clock import SystemClock
    from segue.stores.sqlite.file.restoring import restore as make

    target = _file(store)
    with _progress(as_json) as told:
        manifest = make(source, target, SystemClock(), told)
    _say("Restored", manifest, target, as_json)


def _file(store: str) -> Path:
    from segue.errors import UsageError
    from segue.stores.urls import file_of

    path = file_of(store)
    if path is None:
        raise UsageError(f"{store} is kept in no file", remedy="Name a store in a file, such as segue.db.")
    return path


@contextlib.contextmanager
def _progress(as_json: bool) -> Iterator[Told]:
    """A bar for pages and one for artifacts, on a terminal."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    console = err()
    shown = console.is_terminal and not as_json
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, console=console, transient=True, disable=not shown) as bars:
        known = {what: bars.add_task(what, total=None) for what in ("pages", "artifacts")}
        yield lambda what, done, total: bars.update(known[what], completed=done, total=total)


def _say(what: str, manifest: Manifest, place: Path, as_json: bool) -> None:
    from segue.demo.words import counted
    from segue.domain.measures import bytes_in_words

    if as_json:
        print_json({"path": str(place), **asdict(manifest)})
        return
    size = bytes_in_words(manifest.database_bytes + manifest.artifact_bytes)
    held = f"{counted(manifest.runs, 'run')}, {counted(manifest.artifacts, 'artifact')}, {size}"
    out().print(f"{what} to {plain(str(place))}: {held}")
