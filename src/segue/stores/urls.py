"""The one place that knows which address stands for which store."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple
from urllib.parse import unquote

from segue.errors import StoreUnavailable
from segue.ports.artifacts import ArtifactStore
from segue.ports.clock import Clock, SystemClock
from segue.ports.liveness import Liveness
from segue.ports.store import Store
from segue.stores.artifacts import FolderArtifacts
from segue.stores.memory import MemoryArtifacts, MemoryStore
from segue.stores.sqlite import Durability, SqliteStore
from segue.stores.sqlite.file.files import folder_beside

_SUPPORTED = "Use a path such as segue.db, or sqlite:///segue.db; memory: for tests."
_DURABILITIES: dict[str, Durability] = {"durable": "durable", "fast": "fast"}


class StoreParts(NamedTuple):
    """A store that is still to be opened, and what comes with it."""

    store: Store
    artifacts: ArtifactStore
    artifacts_folder: Path | None
    liveness: Liveness
    set_idle: Callable[[Callable[[], bool]], None]
    """Tells the store how to find out whether anything but a commit needs the event loop."""


def open_store(url: str, *, durability: str = "durable", clock: Clock | None = None) -> StoreParts:
    """
    The store at an address; `store.open()` opens it.

    An address is a path, `sqlite:///` and a path (absolute with a fourth slash), or `memory:`. Raises
    `StoreUnavailable` for any other, and for a durability that the store does not have.
    """
    clock = clock if clock is not None else SystemClock()
    if durability not in tuple(_DURABILITIES):  # compared and not hashed: it may be anything
        raise StoreUnavailable(
            f"a store cannot be {durability!r}", remedy='Use durability="durable" or durability="fast".'
        )
    scheme, rest = _split(url)
    if scheme == "memory":
        store = MemoryStore(clock)
        return StoreParts(store, MemoryArtifacts(clock), None, store.liveness, lambda idle: None)
    if scheme in {"postgres", "postgresql", "redis", "rediss", "valkey"}:
        raise StoreUnavailable(f"{scheme} stores are not available in this version", remedy=_SUPPORTED)
    if scheme != "sqlite":
        raise StoreUnavailable(
            f"nothing is known about stores of the kind {scheme!r} ({url})", remedy=_SUPPORTED
        )
    return _sqlite(Path(rest), _DURABILITIES[durability], clock)


def address_of(given: str | os.PathLike[str]) -> str:
    """An address as a text. Raises StoreUnavailable for what is neither a text nor a path."""
    try:
        return os.fsdecode(given)
    except TypeError:
        raise StoreUnavailable(f"{given!r} is no address of a store", remedy=_SUPPORTED) from None


def file_of(url: str) -> Path | None:
    """The file in which the store at an address is kept; None if it is no file."""
    scheme, rest = _split(url)
    return Path(rest) if scheme == "sqlite" else None


def _sqlite(path: Path, durability: Durability, clock: Clock) -> StoreParts:
    store = SqliteStore(path, durability, clock)
    folder = folder_beside(path.resolve()) / "artifacts"
    artifacts = FolderArtifacts(folder, clock, durable=durability == "durable")

    def set_idle(idle: Callable[[], bool]) -> None:
        store.idle = idle

    return StoreParts(store, artifacts, folder, store.liveness, set_idle)


def _split(url: str) -> tuple[str, str]:
    """The scheme and the rest; a plain path is one of SQLite's."""
    if url in {"memory:", "memory://"}:
        return "memory", ""
    if url == ":memory:" or url.startswith("file:"):
        raise StoreUnavailable(f"{url} is an address of SQLite, and none of a store", remedy=_SUPPORTED)
    scheme, separator, rest = url.partition("://")
    if not separator:
        if not url or "\0" in url:
            what = "is empty" if not url else "has a NUL character in it"
            raise StoreUnavailable(f"the address of the store {what}", remedy=_SUPPORTED)
        return "sqlite", url
    if scheme.lower() == "sqlite":
        path = unquote(rest.removeprefix("/"))
        if not path or not rest.startswith("/"):
            raise StoreUnavailable(f"{url} names no file", remedy=_SUPPORTED)
        return "sqlite", path
    return scheme.lower(), rest
