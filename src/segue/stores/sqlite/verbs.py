"""The reading half of the store: what is small is read in the event loop's thread, what may be large in another."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path

import apsw

from segue.domain.records import PayloadRecord, RunState
from segue.domain.rows import (
    AllowanceRecord,
    Event,
    GrownRecord,
    PauseRecord,
    RunRecord,
    StepRecord,
    StoredHandoff,
    TaskRecord,
)
from segue.errors import StoreClosed
from segue.ports.clock import Clock
from segue.ports.store import StoreFacts
from segue.stores.looking import Looks
from segue.stores.sqlite import reading
from segue.stores.sqlite.file.connection import Durability
from segue.stores.sqlite.file.files import Opened
from segue.stores.sqlite.file.readers import Readers
from segue.stores.sqlite.statements import SQL

FEW = 16
FEW_EVENTS = 256
"""Up to so many rows are read in the event loop's own thread: that takes less time than to change it."""


class ReadingVerbs:
    """The verbs of the contract that change nothing."""

    _path: Path
    _durability: Durability
    _clock: Clock
    _opened: Opened | None
    _looks: Looks

    def _files(self) -> Opened:
        if self._opened is None:
            raise StoreClosed(f"the store {self._path} is not open", remedy="Await its open() first.")
        return self._opened

    def _readers(self) -> Readers:
        opened = self._files()
        opened.writer.check_usable()
        return opened.readers

    async def read_run(self, run: str) -> RunRecord | None:
        """A run by its id."""
        return self._readers().near(lambda connection: reading.run_by(connection, SQL.read_run, run))

    async def find_run(self, key: str) -> RunRecord | None:
        """A run by its key."""
        return self._readers().near(lambda connection: reading.run_by(connection, SQL.find_run, key))

    async def list_runs(
        self, limit: int, before: str | None = None, states: Collection[RunState] = ()
    ) -> Sequence[RunRecord]:
        """Runs, newest first."""
        return await self._readers().far(lambda connection: reading.runs(connection, limit, before, states))

    async def read_graph(self, digest: str) -> str | None:
        """The JSON of a pinned graph."""
        return self._readers().near(lambda connection: reading.document(connection, SQL.read_graph, digest))

    async def read_growth(self, run: str) -> Sequence[GrownRecord]:
        """The nodes that were appended to a run."""
        return self._readers().near(lambda connection: reading.growth(connection, run))

    async def read_spending(self, run: str) -> Sequence[AllowanceRecord]:
        """The accounts of a run."""
        return self._readers().near(lambda connection: reading.allowances(connection, run))

    async def read_schema(self, fingerprint: str) -> str | None:
        """The JSON Schema behind a fingerprint."""
        return self._readers().near(
            lambda connection: reading.document(connection, SQL.read_schema, fingerprint)
        )

    async def read_payloads(self) -> Sequence[PayloadRecord]:
        """All payloads that are registered."""
        return self._readers().near(reading.payloads)

    async def read_tasks(self, run: str, names: Collection[tuple[str, int]] = ()) -> Sequence[TaskRecord]:
        """The tasks of a run, by node and item."""
        readers = self._readers()
        if 0 < len(names) <= FEW:
            return readers.near(lambda connection: reading.tasks(connection, run, names))
        return await readers.far(lambda connection: reading.tasks(connection, run, names))

    async def read_reviews(self, expired_only: bool = False) -> Sequence[TaskRecord]:
        """The tasks that wait for a decision."""
        if expired_only:
            wall = self._clock.wall()
            return self._readers().near(lambda connection: reading.expired_reviews(connection, wall))
        return await self._readers().far(reading.reviews)

    async def read_steps(self, run: str, node: str, item: int) -> Sequence[StepRecord]:
        """What a task remembers, by name."""
        return self._readers().near(lambda connection: reading.steps(connection, run, node, item))

    async def read_pauses(self, run: str | None = None) -> Sequence[PauseRecord]:
        """The pauses that stand."""
        return self._readers().near(lambda connection: reading.pauses(connection, run))

    async def read_command(self, run: str, command: str) -> str | None:
        """What a command that was obeyed had asked for."""
        return self._readers().near(lambda connection: reading.command(connection, run, command))

    async def read_handoffs(self, run: str, pins: Sequence[tuple[str, int, int]]) -> Sequence[StoredHandoff]:
        """Exactly these hand-offs."""
        readers = self._readers()
        if len(pins) <= FEW:
            return readers.near(lambda connection: reading.handoffs(connection, run, pins))
        return await readers.far(lambda connection: reading.handoffs(connection, run, pins))

    async def latest_handoffs(self, run: str, nodes: Collection[str] = ()) -> Sequence[StoredHandoff]:
        """The latest version of each hand-off."""
        return await self._readers().far(lambda connection: reading.latest_handoffs(connection, run, nodes))

    async def tail(
        self, after: str | None, limit: int, run: str | None = None
    ) -> tuple[Sequence[Event], str]:
        """Events after a cursor, and the cursor to go on from."""
        readers, incarnation = self._readers(), self._files().incarnation

        def read(connection: apsw.Connection) -> tuple[Sequence[Event], str]:
            return reading.tail(connection, incarnation, after, limit, run)

        return readers.near(read) if limit <= FEW_EVENTS else await readers.far(read)

    async def cursor(self) -> str:
        """The cursor of now."""
        incarnation = self._files().incarnation
        return self._readers().near(lambda connection: reading.cursor(connection, incarnation))

    async def next_due(self, agents: Collection[str]) -> float | None:
        """Seconds until something falls due."""
        boot, wall, looks = self._clock.boot(), self._clock.wall(), self._looks
        return self._readers().near(
            lambda connection: reading.next_due(connection, boot, wall, agents, looks)
        )

    async def list_workers(self) -> Sequence[tuple[str, str]]:
        """Known workers."""
        return self._readers().near(reading.workers)

    async def artifact_references(self) -> Sequence[str]:
        """Digests of all artifacts that a hand-off, step or effect points to."""
        return await self._readers().far(reading.artifact_references)

    async def facts(self) -> StoreFacts:
        """What this store is and holds."""
        runs, tasks, handoffs, events = await self._readers().far(reading.counts)
        opened = self._files()
        parts = (opened.path, Path(f"{opened.path}-wal"), Path(f"{opened.path}-shm"))
        return StoreFacts(
            kind="sqlite",
            version=apsw.sqlite_lib_version(),
            durability=self._durability,
            incarnation=opened.incarnation,
            location=str(opened.path),
            bytes_stored=sum(part.stat().st_size for part in parts if part.exists()),
            runs=runs,
            tasks=tasks,
            handoffs=handoffs,
            events=events,
        )
