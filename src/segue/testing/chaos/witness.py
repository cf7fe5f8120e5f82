"""A store that writes down what it acknowledged, and has a failpoint on both sides of every commit."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, cast, get_args

from segue.ports.artifacts import ArtifactStore
from segue.ports.store import Store
from segue.stores.urls import StoreParts
from segue.testing.chaos.failpoint import VERBS, Trap
from segue.testing.ledger import Fact, Ledger

_FACTS = {kind.__name__: kind for kind in get_args(Fact)}


def watched(parts: StoreParts, trap: Trap, journal: Path) -> StoreParts:
    """
    The parts of a store, with failpoints, and with a journal.

    What is acknowledged goes into the journal before the caller hears of it, a line in one write: whatever stands there
    was promised. What a failpoint keeps from the caller was not.
    """
    file = os.open(journal, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)

    def write(fact: Fact) -> None:
        os.write(file, json.dumps([type(fact).__name__, *fact]).encode() + b"\n")

    trapped = cast("Store", _Trapped(parts.store, trap))
    artifacts = cast("ArtifactStore", _TrappedArtifacts(parts.artifacts, trap))
    return parts._replace(store=Ledger(write).watch(trapped), artifacts=artifacts)


def read_journals(folder: Path) -> list[Fact]:
    """Everything that workers heard the store acknowledge."""
    return [_FACTS[kind](*values) for kind, *values in read_lines(folder)]


def read_lines(place: Path) -> Iterator[list[Any]]:
    """The lines of a file, or of all in a folder; the last one of a process that was killed may have been cut off."""
    paths = sorted(place.iterdir()) if place.is_dir() else [place]
    for path in filter(Path.exists, paths):
        for line in path.read_bytes().splitlines(keepends=True):
            if line.endswith(b"\n"):
                yield json.loads(line)


class _Trapped:
    """Passes everything on to the store behind it; a writing verb goes past its points."""

    def __init__(self, store: Store, trap: Trap) -> None:
        self._store = store
        self._trap = trap

    def __getattr__(self, name: str) -> Any:
        target = getattr(self._store, name)
        return self._past_points(name, target) if name in VERBS else target

    def _past_points(self, verb: str, target: Callable[..., Any]) -> Callable[..., Any]:
        async def call(*args: Any, **kwargs: Any) -> Any:
            points = _points(verb, *args)
            for point in points:
                self._trap.reach(point, "before")
            answer = await target(*args, **kwargs)
            for point in points:
                self._trap.reach(point, "after")
            return answer

        return call


def _points(verb: str, what: Any = None, *_: Any) -> list[str]:
    """The points that a call goes past: more than one for a settlement that hands on, none for plain types."""
    if verb == "settle" and any(settlement.ending == "handed_on" for settlement in what):
        return ["settle", "hand_on"]
    if verb == "register" and not what:
        return []
    return [verb]


class _TrappedArtifacts:
    """An artifact store with a failpoint on both sides of a put."""

    def __init__(self, artifacts: ArtifactStore, trap: Trap) -> None:
        self._artifacts = artifacts
        self._trap = trap

    def __getattr__(self, name: str) -> Any:
        return getattr(self._artifacts, name)

    async def put(self, content: Any) -> Any:
        """Store bytes."""
        self._trap.reach("artifact", "before")
        stored = await self._artifacts.put(content)
        self._trap.reach("artifact", "after")
        return stored
