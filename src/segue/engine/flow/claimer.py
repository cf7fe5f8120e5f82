"""
Claims ready tasks when there is room for them.

On the hot path nothing happens here: a task that becomes ready is claimed with the settlement that made it so, and a
worker that is full claims more with its next settlement (`wanted`). This loop is for the rest: tasks that another
process released, retries whose time has come, and runs that a dead process left behind. It sleeps until it is poked, a
foreign commit is announced, or something in the store falls due.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence

from segue.domain.records import SUSPECT_LOSSES, Claim, ClaimRequest
from segue.engine.attempts.attempt import Attempt
from segue.engine.flow.slots import Slots
from segue.engine.patience import Pauses
from segue.engine.registry import Registry
from segue.engine.service import Service
from segue.errors import StoreUnavailable
from segue.ports.chance import Chance
from segue.ports.clock import Clock, Timer
from segue.ports.store import Store

TaskKey = tuple[str, str, int]

NET_SECONDS = 5.0
"""How often the store is looked at although nothing was announced: the net below lost wake-ups."""

QUIET_SECONDS = 0.05
"""
So long nothing is announced until it is found out what falls due: each announcement brings a look at the store anyway.
Two looks for what falls due are as far apart: something may be due for long and not to be had yet.
"""


class Claimer(Service):
    """Asks the store for work."""

    def __init__(
        self,
        store: Store,
        clock: Clock,
        chance: Chance,
        slots: Slots,
        live: Mapping[str, Attempt],
        registry: Registry,
        worker: str,
        lease_seconds: float,
        new_id: Callable[[], str],
        on_claims: Callable[[ClaimRequest, Sequence[Claim], float], None],
        on_failure: Callable[[BaseException], None],
    ) -> None:
        super().__init__("claimer", on_failure)
        self._store = store
        self._clock = clock
        self._slots = slots
        self._live = live
        self._registry = registry
        self._worker = worker
        self._lease_seconds = lease_seconds
        self._new_id = new_id
        self._on_claims = on_claims
        self._poked = asyncio.Event()
        self.maybe_ready = True
        """Whether there may be ready tasks that nobody has claimed."""
        self._suspect_asked = False
        """A request that may bring a suspect is on its way."""
        self._suspects_wait = False
        """There may be suspects that wait for the one that runs here to end."""
        self._lying: set[TaskKey] = set()
        """What this process released with the commit that is being answered, and left for its claim."""
        self._timers: set[Timer] = set()
        self._asking = asyncio.Lock()
        self._unanswered: ClaimRequest | None = None
        self._asked_at = 0.0
        self._pauses = Pauses(chance)
        self.paused = False

    def poke(self) -> None:
        """Something may be ready that nobody has claimed: look as soon as there is room."""
        self.maybe_ready = True
        if self._slots.free > 0:
            self._poked.set()

    def room_came_free(self) -> None:
        """A place was given back without a settlement: use it if anything may be ready."""
        if self.maybe_ready or self._suspects_wait:
            self._poked.set()

    def poke_after(self, seconds: float) -> None:
        """Look again when a retry that this process settled falls due."""

        def falls_due() -> None:
            self._timers.discard(timer)
            self.poke()

        timer = self._clock.call_later(seconds, falls_due)
        self._timers.add(timer)

    def wanted(self) -> ClaimRequest | None:
        """What to claim now, if anything may be ready and there is room for it. The places are held for the answer."""
        if self._suspects_wait and self._may_run_suspect():
            self.maybe_ready = True
        if not self.maybe_ready or self.paused or self._slots.free <= 0:
            return None
        self.maybe_ready = self._suspects_wait = False
        suspects = 1 if self._may_run_suspect() else 0
        self._suspect_asked |= suspects > 0
        room, by_agent = self._slots.hold()
        return ClaimRequest(
            worker=self._worker,
            claim=self._new_id(),
            limit=room,
            agents=self._registry.names,
            per_agent=by_agent,
            lease_seconds=self._lease_seconds,
            suspects=suspects,
            reads=self._registry.reads,
        )

    def _may_run_suspect(self) -> bool:
        """Whether no suspect runs here, or is asked for."""
        return not (self._suspect_asked or any(map(_is_suspect, self._live.values())))

    def lies_ready(self, tasks: Iterable[TaskKey], asked: bool) -> None:
        """These tasks were released and not claimed; `asked` if the same commit claimed what it could get."""
        if asked:
            self._lying.update(tasks)
        else:
            self.poke()

    def answered(self, request: ClaimRequest, claims: Sequence[Claim]) -> None:
        """
        Take note of an answer. A full one may have left something behind, but not if it has all that was released with
        the same commit: older tasks come first, so those are there too. Without this a worker that is full would ask
        with every commit for ever, which costs more than to claim the dependents with the settlement.
        """
        self._slots.unhold(request.limit, request.per_agent, [claim.agent for claim in claims])
        if request.suspects:
            self._suspect_asked = False
        if not request.suspects or any(claim.losses >= SUSPECT_LOSSES for claim in claims):
            self._suspects_wait = True
        lying, self._lying = self._lying, set()
        left_behind = bool(lying.difference(claim.token[:3] for claim in claims))
        if left_behind or request.per_agent or (not lying and len(claims) >= request.limit):
            self.maybe_ready = True

    async def pause(self) -> None:
        """
        Ask for nothing more. What was asked for is waited for, and asked for again if there was no answer: the store
        may have granted it already.
        """
        self.paused = True
        while True:
            async with self._asking:
                if self._unanswered is None or await self._ask():
                    return
            await self._clock.sleep(self._pauses.next_seconds())

    async def run(self) -> None:
        loop = asyncio.get_running_loop()
        watching = loop.create_task(self._watch(), name="segue-claimer-watch")
        claiming = loop.create_task(self._claim_when_poked(), name="segue-claimer-claim")
        try:
            await asyncio.gather(watching, claiming)
        finally:
            for timer in self._timers:
                timer.cancel()
            for task in (watching, claiming):
                task.cancel()

    async def _claim_when_poked(self) -> None:
        while True:
            await self._poked.wait()
            await self._claim()

    async def _claim(self) -> None:
        """Ask once; a store that cannot be reached is asked again a little later."""
        self._poked.clear()
        async with self._asking:
            answered = await self._ask()
        if not answered:
            await self._clock.sleep(self._pauses.next_seconds())
            self._poked.set()

    async def _ask(self) -> bool:
        """
        Claim what there is room for; whether the store answered. A request without an answer may have been granted: it
        is repeated as it was and finds its own claims, which nobody would run otherwise until their leases are over.
        """
        request = self._unanswered or self.wanted()
        if request is None:
            return True
        if self._unanswered is None:
            self._unanswered, self._asked_at = request, self._clock.boot()
        try:
            claims = await self._store.claim(request)
        except StoreUnavailable:
            return False
        self._unanswered = None
        self._pauses.restart()
        self._on_claims(request, claims, self._asked_at)
        return True

    async def _watch(self) -> None:
        """Ask whenever another process committed, or a retry or lease in the store falls due."""
        notifier = self._store.notifier
        seen = notifier.foreign
        while True:
            self.maybe_ready = True
            await self._claim()
            heard = await notifier.wait_foreign(seen, QUIET_SECONDS)
            if heard == seen:
                due = await self._seconds_until_due()
                heard = await notifier.wait_foreign(seen, min(NET_SECONDS, due))
            seen = heard

    async def _seconds_until_due(self) -> float:
        try:
            due = await self._store.next_due(self._registry.names)
        except StoreUnavailable:
            return 0.0
        return NET_SECONDS if due is None else due


def _is_suspect(attempt: Attempt) -> bool:
    """
    Whether its task may be what kills its workers: two of those must not run in one. While it waits for a `Later` it
    does not run, and what it waits for may be another suspect.
    """
    return attempt.claim.losses >= SUSPECT_LOSSES and not attempt.released_slot
