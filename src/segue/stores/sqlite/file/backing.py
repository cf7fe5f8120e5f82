"""
Taking a backup of a store while processes work with it.

A backup is a folder: the database in one file, as it was in one moment; every artifact that it points to, each verified
by its digest; and a manifest, which is written last. It comes into being under another name, so a folder that has its
own is whole.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import apsw

from segue.errors import StoreCorrupt, UsageError
from segue.ports.clock import Clock
from segue.stores.artifacts import FolderArtifacts
from segue.stores.sqlite import reading
from segue.stores.sqlite.file.connection import connect
from segue.stores.sqlite.file.failures import cannot_create, translate
from segue.stores.sqlite.file.files import folder_beside
from segue.stores.sqlite.file.migrating import read_meta
from segue.stores.sqlite.statements import SQL

FORMAT = 1
DATABASE, MANIFEST = "segue.db", "backup.json"
ARTIFACTS = "artifacts"

PAGES_AT_ONCE = 1_024
"""So many pages are copied before progress is told: 4 MiB."""

Told = Callable[[str, int, int], None]
"""Called with what is being copied (`pages` or `artifacts`), how many there are by now, and how many there will be."""


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a backup says of itself. `database` is the digest of its database file."""

    format: int
    taken_at: float
    incarnation: str
    database: str
    database_bytes: int
    artifacts: int
    artifact_bytes: int
    runs: int
    tasks: int
    handoffs: int
    events: int


def back_up(source: Path, destination: Path, clock: Clock, told: Told) -> Manifest:
    """
    Copy the store at `source`, open elsewhere or not, into a new folder.

    Raises `UsageError` if there is something at `destination`, `ArtifactError` if an artifact is missing or damaged,
    and StoreError; whatever was copied by then is gone again.
    """
    destination = destination.absolute()
    refuse_to_overwrite(destination)
    with emerging(destination) as partial:
        artifacts = FolderArtifacts(folder_beside(source.resolve()) / ARTIFACTS, clock, durable=True)
        # What the snapshot points to must be there until it is copied.
        with artifacts.kept():
            _copy_database(source, partial / DATABASE, told)
            manifest = _copy_artifacts(partial, artifacts, clock, told)
        _make_file(partial / MANIFEST)
        (partial / MANIFEST).write_text(json.dumps(asdict(manifest), indent=2) + "\n")
        sync_all(partial)
    return manifest


def refuse_to_overwrite(*paths: Path) -> None:
    """Raises `UsageError` if there is anything at one of these paths."""
    for path in paths:
        if path.exists() or path.is_symlink():
            raise UsageError(
                f"{path} is there already", remedy="Name another place: nothing is ever overwritten."
            )


@contextlib.contextmanager
def emerging(destination: Path) -> Iterator[Path]:
    """A new folder under another name, which gets its own when the body has ended, and is gone if that fails."""
    partial = destination.with_name(f".{destination.name}.{uuid.uuid4().hex[:8]}.partial")
    try:
        with told_of(destination):
            partial.mkdir(mode=0o700)
            yield partial
            partial.rename(destination)
            sync(destination.parent)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise


@contextlib.contextmanager
def told_of(path: Path) -> Iterator[None]:
    """Turn what SQLite or the file system reports into the errors of Segue."""
    try:
        yield
    except apsw.Error as error:
        raise translate(error, str(path)) from error
    except OSError as error:
        raise cannot_create(path, error) from error


def sync(path: Path) -> None:
    """Sync a file or folder."""
    file = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    try:
        os.fsync(file)
    finally:
        os.close(file)


def sync_all(folder: Path) -> None:
    """Sync everything below a folder, and the folder."""
    for path in sorted(folder.rglob("*"), reverse=True):
        sync(path)
    sync(folder)


def digest_of_file(path: Path) -> str:
    """The digest of a file that may be large."""
    with path.open("rb") as file:
        return f"sha256:{hashlib.file_digest(file, 'sha256').hexdigest()}"


def open_alone(path: Path) -> apsw.Connection:
    """Open a database file that is there and that nobody else works with; what its schema says is not trusted."""
    connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READWRITE | apsw.SQLITE_OPEN_NOFOLLOW)
    connection.config(apsw.SQLITE_DBCONFIG_DEFENSIVE, 1)
    connection.config(apsw.SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0)
    return connection


def check_integrity(connection: apsw.Connection, path: Path) -> None:
    """Raises `StoreCorrupt` if SQLite finds anything wrong with a database."""
    found = connection.execute("PRAGMA integrity_check").get
    if found != "ok":
        raise StoreCorrupt(f"{path} is damaged: {found}", remedy="Restore it from an earlier backup.")


def _copy_database(source: Path, target: Path, told: Told) -> None:
    _make_file(target)
    with (
        contextlib.closing(connect(source, "durable", read_only=True)) as reader,
        contextlib.closing(open_alone(target)) as copy,
    ):
        # In one view of the file: a copy that saw commits come in would have to begin anew with each.
        with reader, copy.backup("main", reader, "main") as backup:
            reader.execute(SQL.read_meta, ("incarnation",)).fetchall()
            while not backup.done:
                backup.step(PAGES_AT_ONCE)
                told("pages", backup.page_count - backup.remaining, backup.page_count)
        copy.pragma("journal_mode", "delete")  # one file, without a log beside it
        check_integrity(copy, target)


def _make_file(path: Path) -> None:
    """An empty file, for its owner alone."""
    os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))


def _copy_artifacts(partial: Path, artifacts: FolderArtifacts, clock: Clock, told: Told) -> Manifest:
    database = partial / DATABASE
    with contextlib.closing(open_alone(database)) as copy:
        digests = reading.artifact_references(copy)
        runs, tasks, handoffs, events = reading.counts(copy)
        incarnation = str(read_meta(copy, "incarnation"))
    copies = FolderArtifacts(partial / ARTIFACTS, clock, durable=False)  # all is synced at the end
    size = copy_artifacts(artifacts, copies, digests, told)
    return Manifest(
        format=FORMAT,
        taken_at=clock.wall(),
        incarnation=incarnation,
        database=digest_of_file(database),
        database_bytes=database.stat().st_size,
        artifacts=len(digests),
        artifact_bytes=size,
        runs=runs,
        tasks=tasks,
        handoffs=handoffs,
        events=events,
    )


def copy_artifacts(
    source: FolderArtifacts, target: FolderArtifacts, digests: Sequence[str], told: Told
) -> int:
    """
    Copy artifacts, each verified, into files of their own: a link would share the fate of the original. How many bytes.

    Raises `ArtifactError` if one is missing or damaged.
    """
    size = 0
    for number, digest in enumerate(digests, 1):
        size += source.copy_to(target, digest)
        told("artifacts", number, len(digests))
    return size
