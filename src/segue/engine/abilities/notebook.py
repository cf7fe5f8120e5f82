"""
What a task has finished and begun, as one of its attempts sees it and adds to it.

The first attempt finds nothing and asks nobody; a later one reads the store once, when it first needs to know. Whatever
is written goes through `write`, one place: fenced, repeated while the store cannot be reached, and never before a
speculative attempt is confirmed.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple, Protocol

from segue.domain.envelope.waiting import Block
from segue.domain.rows import StepKind, StepRecord
from segue.domain.running.lease import trusted_seconds
from segue.domain.running.pins import scope_of
from segue.domain.running.steps import check_kind, used_twice
from segue.engine.abilities.reporting import REPORT_SECONDS
from segue.errors import EffectInDoubt, StoreError
from segue.ports.clock import Clock
from segue.ports.store import Note, Store

if TYPE_CHECKING:
    from segue.engine.attempts.attempt import Attempt
    from segue.engine.attempts.timekeeper import Timekeeper


class Notebook(Protocol):
    """What steps and effects need of the attempt that they belong to, in the worker or relayed to it."""

    @property
    def block(self) -> Block:
        """Lets the thread of a `def` agent wait for what runs in the loop."""
        ...

    async def recall(self, kind: StepKind, name: str) -> StepRecord | None:
        """
        Take a name for this attempt; what an earlier one has left under it.

        Raises UsageError if it is taken, or was something else.
        """
        ...

    def give_back(self, name: str) -> None:
        """A step came to nothing: its name is free again."""
        ...

    async def write(self, *steps: StepRecord) -> None:
        """Write drafts down, durably, all of it or nothing. Raises StaleEpoch if the attempt was superseded."""
        ...

    async def report(self, data: str) -> None:
        """Say how far the agent is (JSON), soon or at once. Raises StaleEpoch if the attempt was superseded."""
        ...

    async def confirm(self) -> None:
        """
        Wait until everything that the attempt has started on is durable, and see that the task is still its own.

        Raises StaleEpoch if it is not.
        """
        ...

    def doubt(self, error: EffectInDoubt) -> None:
        """The attempt is to end in doubt, whatever the agent makes of the error."""
        ...


class Keeping(NamedTuple):
    """What all notebooks of a worker share."""

    store: Store
    clock: Clock
    lease_seconds: float
    block: Block
    timekeeper: Timekeeper
    on_failure: Callable[[BaseException], None]


class TaskNotebook:
    """The notebook of an attempt in its own worker."""

    def __init__(self, attempt: Attempt, keeping: Keeping) -> None:
        self._attempt = attempt
        self._keeping = keeping
        self._scope = scope_of(attempt.claim)
        self._taken: set[str] = set()
        self._known: dict[str, StepRecord] | None = {} if attempt.token.epoch == 1 else None
        self._reading = asyncio.Lock()
        self._proved_at = 0.0
        """When the store last took something from this attempt, by this machine's clock, as of when it was asked."""
        self._reported_at = -math.inf
        self.block = keeping.block

    async def recall(self, kind: StepKind, name: str) -> StepRecord | None:
        """What an earlier attempt has left under a name, which is taken now."""
        where = f"{kind} {name!r} of {self._attempt.name}"
        if name in self._taken:
            raise used_twice(kind, where)
        self._taken.add(name)
        known = (await self._read()).get(self._scope + name)
        if known is not None:
            check_kind(known, kind, where)
        return known

    def give_back(self, name: str) -> None:
        """The name is free again."""
        self._taken.discard(name)

    async def _read(self) -> dict[str, StepRecord]:
        async with self._reading:
            if self._known is None:
                run, node, item, *_ = self._attempt.token
                try:
                    found = await self._keeping.store.read_steps(run, node, item)
                except StoreError as error:
                    self._keeping.on_failure(error)
                    raise
                self._known = {record.name: record for record in found}
            return self._known

    async def write(self, *steps: StepRecord) -> None:
        """Write down. What goes wrong with the store is no failure of the agent: `on_failure` hears of it too."""
        await self._wait_for_inputs()
        store, clock, token = self._keeping.store, self._keeping.clock, self._attempt.token
        asked_at, now = clock.boot(), clock.wall()
        written = [step._replace(name=self._scope + step.name, epoch=token.epoch, at=now) for step in steps]
        try:
            with self._keeping.timekeeper.progress(self._attempt):
                verdict = await store.record(token, written)
        except StoreError as error:
            self._keeping.on_failure(error)
            raise
        if verdict == "stale":
            raise self._attempt.stale()
        self._proved_at = asked_at

    async def report(self, data: str) -> None:
        """Write down how far the agent is, unless it has just said so: then the renewer does, if nothing follows."""
        attempt, now = self._attempt, self._keeping.clock.boot()
        if attempt.superseded:
            raise self._attempt.stale()
        with self._keeping.timekeeper.progress(attempt):
            attempt.unreported = data
            if now - self._reported_at < REPORT_SECONDS:
                return
            self._reported_at = now
            await self._wait_for_inputs()
            note = Note(attempt.token, attempt.claim.agent, "progress", None, data)
            try:
                (verdict,) = await self._keeping.store.note([note])
            except StoreError as error:
                self._keeping.on_failure(error)
                raise
        if verdict == "stale":
            raise self._attempt.stale()
        if attempt.unreported == data:
            attempt.unreported = None

    async def confirm(self) -> None:
        """Wait for the inputs, and ask the store whose the task is if it has not said so lately."""
        await self._wait_for_inputs()
        attempt, (store, clock, lease_seconds, _, _, on_failure) = self._attempt, self._keeping
        if attempt.superseded:
            raise self._attempt.stale()
        now = clock.boot()
        if now - max(self._proved_at, attempt.renewed_at) < trusted_seconds(lease_seconds):
            return
        try:
            (alive,) = await store.renew([attempt.token], lease_seconds)
        except StoreError as error:
            on_failure(error)
            raise
        if not alive:
            raise self._attempt.stale()
        attempt.renewed_at = now

    def doubt(self, error: EffectInDoubt) -> None:
        """The attempt is to end in doubt."""
        self._attempt.doubt = error

    async def _wait_for_inputs(self) -> None:
        if self._attempt.confirmed is not None:
            await asyncio.shield(self._attempt.confirmed)
