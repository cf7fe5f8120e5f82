"""
The registry, for orchestrator loops that already exist: results of agents by name, written once and read by those who
depend on them.

Behind it is a run whose tasks no worker runs. What is written is a hand-off like any other: fenced, immutable, and in
the store before `write_result` returns.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from segue.app.external import Place, record_of, seal_result
from segue.app.submission import RunRequest
from segue.domain.envelope.schema import schema_of
from segue.domain.envelope.stored import verified
from segue.domain.graph.agent import Agent
from segue.domain.graph.building import Call, Draft
from segue.domain.graph.workflow import Built, build
from segue.domain.places import user_place
from segue.domain.records import Claim
from segue.domain.running.external import finding_on, kept_from
from segue.domain.settings.texts import KEY_CHARACTERS, checked_text
from segue.errors import NotReady, StaleEpoch, UsageError

if TYPE_CHECKING:
    from segue.app.host import Host

WORKFLOW = "registry"


class Done(NamedTuple):
    """A result that was written; `cursor` is where to go on from with `registry.completed(after=...)`."""

    agent: str
    result: Any
    cursor: str


class Registry:
    """
    The results of one piece of work, by the names of those who make them: what `segue.registry(...)` gives.

    `run` is the run behind it, for `segue show` and everything else that looks at runs.
    """

    def __init__(self, host: Host, run: str, dependencies: Mapping[str, tuple[str, ...]]) -> None:
        self._host = host
        self._dependencies = dependencies
        self.run = run

    async def write_result(self, agent: str, result: Any) -> None:
        """
        Write what an agent has made: any value that JSON can hold, a pydantic model, or a `Handoff`. It stays for ever.

        The same again is harmless. Raises `AlreadyWritten` for something else, `NotReady` if something that the agent
        depends on has not been written, `TaskTaken` if somebody has claimed the agent and goes on working,
        `UsageError` for an agent that is not there, and `PayloadError` for what cannot be written.
        """
        place = await self._place(agent)
        sealed = await seal_result(self._host, place, result)
        await self._host.external.write(place, sealed.digest, record_of(self._host, sealed))

    async def read_results(self) -> dict[str, Any]:
        """Everything that has been written, by agent."""
        return await self._read(())

    async def agent_context(self, agent: str) -> dict[str, Any]:
        """What an agent may know: the results of those that it depends on. Raises `NotReady` if one is missing."""
        needs = self._needs(agent)
        results = await self._read(needs) if needs else {}
        missing = [name for name in needs if name not in results]
        if missing:
            raise NotReady(
                f"{agent} depends on {' and '.join(missing)}, of which there is nothing yet",
                remedy="Write what it depends on first.",
            )
        return results

    async def completed(self, *, after: str | None = None) -> AsyncIterator[Done]:
        """
        Each result as it is written, by whomever, until the last one is: those of before first.

            async for done in registry.completed(): print(done.agent, done.result)

        `after` is the `cursor` of the last one that was seen.
        """
        async for event in self._host.events(self.run, ("task.complete",), after):
            results = await self._read((event.task or "",))
            for name, result in results.items():
                yield Done(name, result, event.cursor)

    @contextlib.asynccontextmanager
    async def claim(self, agent: str) -> AsyncIterator[Work]:
        """
        The right to do the work of an agent, where several loops may run: `async with registry.claim(agent) as work:`.

        It is kept for as long as the block runs, and is free again at once if that ends without a result. Raises
        `TaskTaken` if somebody else has it, `AlreadyWritten` if the work is done, and `NotReady`.
        """
        place = await self._place(agent)
        external = self._host.external
        claim = await external.claim(place)
        if claim is None:
            row = await external.row_of(place)
            waits = finding_on(self.run, agent, row, None, "", self._needs(agent))
            assert waits is not None
            raise kept_from(waits)
        work = Work(self._host, place, claim)
        keeping = asyncio.ensure_future(external.keep(claim))
        try:
            yield work
        finally:
            keeping.cancel()
            if not work.written:
                await external.give_back(claim)

    async def _read(self, agents: Iterable[str]) -> dict[str, Any]:
        live = await self._host.engine.book.load(self.run)
        results = {}
        for stored in await self._host.store.latest_handoffs(self.run, tuple(agents)):
            if stored.record.status == "complete":
                handoff = await self._host.engine.binder.handoff(live, verified(stored), schema_of(Any))
                results[stored.node] = handoff.output
        return results

    async def _place(self, agent: str) -> Place:
        self._needs(agent)
        return await self._host.external.place_of(self.run, agent)

    def _needs(self, agent: str) -> tuple[str, ...]:
        try:
            return self._dependencies[agent]
        except (KeyError, TypeError):
            raise UsageError(
                f"there is no agent {agent!r} in this registry",
                remedy=f"There are: {', '.join(self._dependencies)}.",
            ) from None


class Work:
    """The right to write one result."""

    def __init__(self, host: Host, place: Place, claim: Claim) -> None:
        self._host = host
        self._place = place
        self._claim = claim
        self.written = False

    async def write(self, result: Any) -> None:
        """
        Write the result, as `Registry.write_result` does.

        Raises `StaleEpoch` if this process was not heard of for so long that somebody else has the work now.
        """
        sealed = await seal_result(self._host, self._place, result)
        record = record_of(self._host, sealed)(self._claim.version)
        if not await self._host.external.settle(self._place, self._claim, record):
            raise StaleEpoch(
                f"{self._place.task} of run {self._place.live.run} was claimed by somebody else meanwhile",
                remedy="Nothing to do: they write its result.",
            )
        self.written = True


async def open_registry(host: Host, task_id: str, dependencies: Mapping[str, Iterable[str]]) -> Registry:
    """Open the registry of a piece of work, or find it as it stands."""
    checked_text("task_id", task_id, KEY_CHARACTERS)
    needs = _needs_of(dependencies)
    handle = await host.submit(_built(needs), (), {}, RunRequest(key_of(task_id)))
    return Registry(host, handle.run, needs)


def key_of(task_id: str) -> str:
    """The key of the run behind a registry."""
    return f"{WORKFLOW}:{task_id}"


def _needs_of(dependencies: Mapping[str, Iterable[str]]) -> dict[str, tuple[str, ...]]:
    """All agents, also those that are only depended on, each with what it depends on. Raises UsageError."""
    if not isinstance(dependencies, Mapping):
        raise UsageError(
            f"dependencies={dependencies!r} is no mapping",
            remedy='Say who depends on whom: {"test_writer": ["code_reviewer"]}.',
        )
    needs: dict[str, tuple[str, ...]] = {}
    for agent, given in dependencies.items():
        if isinstance(given, str) or not isinstance(given, Iterable):
            raise UsageError(
                f"{agent!r} depends on {given!r}, which is no list", remedy=f"Write {agent!r}: [{given!r}]."
            )
        needs[agent] = tuple(sorted(set(given)))
    for each in [name for given in needs.values() for name in given]:
        needs.setdefault(each, ())
    if not needs:
        raise UsageError(
            "the registry has no agents", remedy='Name them: {"test_writer": ["code_reviewer"]}.'
        )
    return dict(sorted(needs.items()))


def _built(needs: Mapping[str, tuple[str, ...]]) -> Built:
    """The graph of a registry. Raises GraphError for agents that depend on one another in a circle."""
    draft = Draft(WORKFLOW, "1", ())
    place = user_place()
    for name, given in needs.items():
        agent: Agent[Any] = Agent(_result, {"name": f"{WORKFLOW}.{name}", "external": True}, {})
        draft.calls[name] = Call(name=name, agent=agent, arguments={}, place=place, after=given)
    return build(draft)


def _result() -> Any:
    """Stand for whoever makes a result."""
