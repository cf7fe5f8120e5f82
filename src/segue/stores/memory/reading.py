"""What can be read back from memory."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from segue.domain.records import RunState
from segue.domain.rows import (
    Event,
    GrownRecord,
    PauseRecord,
    RunRecord,
    StepRecord,
    StoredHandoff,
    TaskRecord,
)
from segue.ports.store import StoreFacts
from segue.stores.memory.state import State


class Reading:
    """The reading verbs of the contract."""

    _state: State

    async def read_run(self, run: str) -> RunRecord | None:
        """A run by its id."""
        found = self._state.runs.get(run)
        return found.record() if found is not None else None

    async def find_run(self, key: str) -> RunRecord | None:
        """A run by its key."""
        run = self._state.keys.get(key)
        return await self.read_run(run) if run is not None else None

    async def list_runs(
        self, limit: int, before: str | None = None, states: Collection[RunState] = ()
    ) -> Sequence[RunRecord]:
        """Runs, newest first."""
        chosen = (
            run.record()
            for name, run in sorted(self._state.runs.items(), reverse=True)
            if (before is None or name < before) and (not states or run.state in states)
        )
        return [record for _, record in zip(range(limit), chosen, strict=False)]

    async def read_graph(self, digest: str) -> str | None:
        """The JSON of a pinned graph."""
        return self._state.graphs.get(digest)

    async def read_growth(self, run: str) -> Sequence[GrownRecord]:
        """The nodes that were appended to a run."""
        found = self._state.runs.get(run)
        return list(found.growth) if found is not None else []

    async def read_schema(self, fingerprint: str) -> str | None:
        """The JSON Schema behind a fingerprint."""
        return self._state.schemas.get(fingerprint)

    async def read_tasks(self, run: str, names: Collection[tuple[str, int]] = ()) -> Sequence[TaskRecord]:
        """The tasks of a run, by node and item."""
        found = self._state.runs.get(run)
        tasks = sorted(found.tasks.items()) if found is not None else []
        return [task.record() for name, task in tasks if not names or name in names]

    async def read_reviews(self, expired_only: bool = False) -> Sequence[TaskRecord]:
        """The tasks that wait for a decision."""
        runs = [run for run in self._state.runs.values() if run.ended_at is None]
        tasks = [task.record() for run in runs for task in run.tasks.values()]
        waiting = sorted(task for task in tasks if task.state == "needs_review")
        if not expired_only:
            return waiting
        wall = self._state.clock.wall()
        due = [(task.review_by, task) for task in waiting if task.review_by is not None]
        return [task for review_by, task in sorted(due) if review_by <= wall]

    async def read_steps(self, run: str, node: str, item: int) -> Sequence[StepRecord]:
        """What a task remembers, by name."""
        found = self._state.runs.get(run)
        steps = found.steps.get((node, item), {}) if found is not None else {}
        return [written.record for _, written in sorted(steps.items())]

    async def read_pauses(self, run: str | None = None) -> Sequence[PauseRecord]:
        """The pauses that stand."""
        runs = [each for name, each in sorted(self._state.runs.items()) if run in {None, name}]
        return [pause for each in runs for _, pause in sorted(each.pauses.items())]

    async def read_command(self, run: str, command: str) -> str | None:
        """What a command that was obeyed had asked for."""
        found = self._state.runs.get(run)
        return found.commands.get(command) if found is not None else None

    async def read_handoffs(self, run: str, pins: Sequence[tuple[str, int, int]]) -> Sequence[StoredHandoff]:
        """Exactly these hand-offs."""
        found = self._state.runs.get(run)
        if found is None:
            return []
        return [
            stored
            for node, item, version in pins
            for stored in found.handoffs.get((node, item), ())
            if stored.record.version == version
        ]

    async def latest_handoffs(self, run: str, nodes: Collection[str] = ()) -> Sequence[StoredHandoff]:
        """The latest version of each hand-off."""
        found = self._state.runs.get(run)
        handoffs = sorted(found.handoffs.items()) if found is not None else []
        return [versions[-1] for (node, _), versions in handoffs if not nodes or node in nodes]

    async def tail(
        self, after: str | None, limit: int, run: str | None = None
    ) -> tuple[Sequence[Event], str]:
        """Events after a cursor, and the cursor to go on from."""
        return self._state.log.tail(after, limit, run)

    async def cursor(self) -> str:
        """The cursor of now."""
        return self._state.log.cursor()

    async def list_workers(self) -> Sequence[tuple[str, str]]:
        """Known workers."""
        return sorted(self._state.workers.items())

    async def artifact_references(self) -> Sequence[str]:
        """Digests of all artifacts that a hand-off, step or effect points to."""
        digests = {digest for stored in self._all_handoffs() for digest in stored.record.artifacts}
        tasks = [steps for run in self._state.runs.values() for steps in run.steps.values()]
        digests |= {
            digest for steps in tasks for written in steps.values() for digest in written.record.artifacts
        }
        return sorted(digests)

    async def facts(self) -> StoreFacts:
        """What this store is and holds."""
        handoffs = self._all_handoffs()
        return StoreFacts(
            kind="memory",
            version="1",
            durability="none",
            incarnation=self._state.log.incarnation,
            location="this process",
            bytes_stored=sum(len(stored.record.body) for stored in handoffs),
            runs=len(self._state.runs),
            tasks=sum(len(run.tasks) for run in self._state.runs.values()),
            handoffs=len(handoffs),
            events=len(self._state.log),
        )

    def _all_handoffs(self) -> list[StoredHandoff]:
        return [
            stored
            for run in self._state.runs.values()
            for versions in run.handoffs.values()
            for stored in versions
        ]
