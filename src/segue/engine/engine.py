"""
The engine: claims, runs and settles tasks in one event loop.

It holds no policy (that is in `segue.domain`) and no state that matters (that is in the store). What goes round:

    claim ──► attempt (a task of the loop) ──► outcome ──► settlement ──► committer ──► store
      ▲                                                                                  │
      └──────────────── the dependents that the same transaction claimed ◄───────────────┘
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from secrets import SystemRandom
from typing import Any

from segue.domain.graph.agent import Agent
from segue.domain.graph.workflow import ConditionFunction
from segue.domain.records import (
    Claim,
    ClaimRequest,
    NewRun,
    RunState,
    Settled,
    Settlement,
    Submitted,
)
from segue.domain.running.answering import Failed
from segue.domain.running.outcome import InDoubt, Outcome, Unreadable, handed_back, settlement_of
from segue.domain.running.pins import pin_handed_on
from segue.domain.running.plan import root_releases
from segue.engine.abilities import delegating
from segue.engine.abilities.handing_on import HandingOn
from segue.engine.abilities.later import LaterDesk
from segue.engine.abilities.notebook import Keeping
from segue.engine.abilities.reporting import SlowReports
from segue.engine.attempts.attempt import Attempt, context_for, current_attempt
from segue.engine.attempts.runner import Runner
from segue.engine.attempts.threads import Threads
from segue.engine.attempts.timekeeper import Timekeeper
from segue.engine.children.pool import Children
from segue.engine.flow.claimer import Claimer
from segue.engine.flow.committer import Committer
from segue.engine.flow.early import EarlyStarts
from segue.engine.flow.leaving import Leaving
from segue.engine.flow.slots import Slots
from segue.engine.flow.submitter import Submitter
from segue.engine.inputs.binding import Binder
from segue.engine.inputs.book import Book, LiveRun, stored_handoff
from segue.engine.inputs.home import Home
from segue.engine.patience import PATIENCE_SECONDS, patient
from segue.engine.registry import Registry
from segue.engine.watch.renewer import Renewer
from segue.engine.watch.reviews import OverdueReviews
from segue.engine.watch.sweeper import Sweeper
from segue.engine.watch.untangler import Untangler
from segue.errors import SegueError
from segue.ports.artifacts import ArtifactStore
from segue.ports.chance import Chance
from segue.ports.clock import Clock
from segue.ports.liveness import Liveness
from segue.ports.store import Store

RunEnded = Callable[[str, RunState], None]
Observer = Callable[[Claim, str, str | None], None]
"""Is told a claim, what has become of it, and the data (JSON) that the store keeps with that."""

_SYSTEM = SystemRandom()


class Engine:
    """
    Moves hand-offs along, for one worker. `on_run_state` hears of every run that this worker ended. Draining, it begins
    nothing more; stopping, it hands back what runs; failed, it gives that up.
    """

    def __init__(
        self,
        store: Store,
        artifacts: ArtifactStore,
        liveness: Liveness,
        clock: Clock,
        *,
        worker: str,
        concurrency: int,
        lease_seconds: float,
        on_run_state: RunEnded,
        on_failure: Callable[[BaseException], None],
        chance: Chance = _SYSTEM,
        patience_seconds: float = PATIENCE_SECONDS,
    ) -> None:
        self._store, self._liveness = store, liveness
        self._clock, self._chance = clock, chance
        self._lease_seconds, self._on_run_state, self._on_failure = lease_seconds, on_run_state, on_failure
        self.worker, self.registry = worker, Registry()
        asked = patient(store, clock, chance, patience_seconds)
        self.book = Book(asked, clock)
        self.threads, self._slots = Threads(concurrency), Slots(concurrency)
        self.home = Home(artifacts, self.threads)
        self._live: dict[str, Attempt] = {}
        self._claim_prefix, self._claim_count = f"{chance.getrandbits(96):024x}", 0
        self._draining = self._stopping = self._failed = False
        self.observer: Observer = lambda claim, what, data: None
        """Hears of each claim of this worker and of how its attempt ended: one of `Ending`, or that it was lost."""
        self._slow = SlowReports(asked, self._fail)
        keeper = self._timekeeper = Timekeeper(clock, self._live.values, self._leave_behind, self._slow.begin)
        keeping = Keeping(asked, clock, lease_seconds, self.threads.block, keeper, self._fail)
        self._claimer = self._new_claimer()
        self._later = LaterDesk(
            asked, self._slots, keeper, self._claimer, clock, self._on_run_state, self._fail
        )
        self.binder = Binder(asked, self.book, self.registry, self.home, self._later)
        self.children = Children(clock, self._fail)
        hand_on = HandingOn(asked, self.registry, self.know)
        shared = (asked, artifacts, self.book, self.binder, self._later, hand_on, clock)
        delegations = delegating.Desk(*shared, self._claimer.poke, self._fail)
        self._context = context_for(self.home, keeping, delegations)
        self._runner = Runner(self.binder, artifacts, self.threads, self.children, keeper, clock, hand_on)
        told = (self._claimer.wanted, self._settled, self._claimed, self._fail)
        self._committer = Committer(store, asked, clock, worker, lease_seconds, *told)
        self._submitter = Submitter(asked, clock, worker, lease_seconds, self._submitted, self._not_submitted)
        self._renewer = Renewer(store, clock, lease_seconds, self._running, self._lost, self._fail)
        overdue = OverdueReviews(store, self.book, clock, self._new_claim, self.decided)
        tangles = Untangler(store, self.book, clock, self._live, self._claimer, self._lost, self.decided)
        chores, poke, renew = (overdue.decide, tangles.look), self._claimer.poke, self._renewer.renew
        self._sweeper = Sweeper(
            store, clock, liveness, worker, lease_seconds, renew, poke, chores, self._fail
        )
        self._early = EarlyStarts(self._live, clock, self._slots, self._start, self._lost)
        self._leaving = Leaving(
            self._live, clock, store, worker, self._claimer, self._submitter, self._committer
        )

    def _new_claimer(self) -> Claimer:
        return Claimer(
            self._store,
            self._clock,
            self._chance,
            self._slots,
            self._live,
            self.registry,
            self.worker,
            self._lease_seconds,
            self._new_claim,
            self._claimed,
            self._fail,
        )

    async def start(self, about: str) -> None:
        """Make this worker known, take back what dead ones held, and begin."""
        self._liveness.hold(self.worker)
        await self._store.register_worker(self.worker, about)
        await self._sweeper.sweep()
        for service in (self._committer, self._renewer, self._sweeper, self._claimer, self.children):
            service.start()

    async def drain(self, seconds: float) -> bool:
        """Claim and start nothing more, and let what runs end; whether all of it has within so many seconds."""
        self._draining = True
        return await self._leaving.finish(seconds)

    async def stop(self) -> None:
        """Claim nothing more, hand back what runs, commit what has ended, and let go."""
        self._draining = self._stopping = True
        with contextlib.suppress(asyncio.TimeoutError):
            await asyncio.wait_for(self._leaving.hand_back(), timeout=self._lease_seconds)
        for service in (self._claimer, self._committer, self._renewer, self._sweeper, self.children):
            await service.stop()
        self._timekeeper.stop()
        await self._slow.stop()
        self.threads.close()
        with contextlib.suppress(SegueError, asyncio.TimeoutError):
            await asyncio.wait_for(self._store.forget_workers([self.worker]), timeout=1.0)
        self._liveness.let_go(self.worker)

    def know(self, agents: Iterable[Agent[Any]], conditions: Mapping[str, ConditionFunction]) -> None:
        """Take tasks of these agents from now on, those of runs that other processes left behind included."""
        added = self.registry.add(agents, conditions)
        for agent in added:
            self._slots.set_limit(agent.name, agent.concurrency)
        self.children.expect(added)
        if added:
            self._claimer.poke()

    @property
    def idle(self) -> bool:
        """Whether nothing runs here that an fsync in the loop would hold up."""
        return len(self._live) <= self._committer.waiting

    async def submit(self, new: NewRun, live: LiveRun) -> Submitted:
        """Submit a run, and start its roots here if there is room for them."""
        return await self._submitter.submit(new._replace(roots=root_releases(live.plan, self._claim_for)))

    def _submitted(self, new: NewRun, submitted: Submitted, asked_at: float) -> None:
        self._unreserve([root.agent for root in new.roots if root.claim], submitted.claims)
        if submitted.created and len(submitted.claims) < len(new.roots):
            self._claimer.poke()
        for claim in submitted.claims:
            self._start(claim, asked_at)

    def _not_submitted(self, new: NewRun) -> None:
        self._unreserve([root.agent for root in new.roots if root.claim], ())

    def look_again(self) -> None:
        """Something was released without an attempt of this worker: claim it if there is room."""
        self._claimer.poke()

    def decided(self, run: str, state: RunState) -> None:
        """Something of a run was decided without an attempt of this worker, and that is its state now."""
        self.look_again()
        if state != "running":
            self._on_run_state(run, state)

    async def check_claims(self, run: str) -> None:
        """Cancel what runs here for a run and has lost its claim to somebody's word, without waiting for a renewal."""
        await self._renewer.renew(run)
        self._claimer.poke()  # for its places in pools

    def _claim_for(self, agent: str) -> str | None:
        # Where older tasks may be ready, the claim that goes with the commit takes the oldest first: else one chain
        # would run to its end while the others wait.
        if self._draining or self._claimer.maybe_ready or agent not in self.registry:
            return None
        if not self._slots.reserve(agent):
            return None
        return self._new_claim()

    def _new_claim(self) -> str:
        self._claim_count += 1
        return f"{self._claim_prefix}{self._claim_count:x}"

    def _unreserve(self, reserved: Sequence[str], claims: Sequence[Claim]) -> None:
        """Give back the places of tasks that turned out not to be ready yet."""
        if len(claims) == len(reserved):
            return
        left = list(reserved)
        for claim in claims:
            left.remove(claim.agent)
        for agent in left:
            self._slots.release(agent)
        self._claimer.room_came_free()

    def _claimed(self, request: ClaimRequest, claims: Sequence[Claim], asked_at: float) -> None:
        self._claimer.answered(request, claims)
        for claim in claims:
            self._start(claim, asked_at)

    def _start(self, claim: Claim, asked_at: float, confirmed: asyncio.Future[None] | None = None) -> None:
        self.observer(claim, "claimed", None)
        self._begin(Attempt(claim, asked_at, confirmed))

    def _leave_behind(self, attempt: Attempt) -> None:
        """The agent does not end although its time is up: its task is settled without it."""
        self._begin(attempt.leave_behind())

    def _begin(self, attempt: Attempt) -> None:
        attempt.superseded |= self._failed
        self._live[attempt.token.claim] = attempt
        # A fresh copy, so that no attempt inherits the context variables of the one that released it.
        context = self._context.copy()
        attempt.task = asyncio.get_running_loop().create_task(self._attempt(attempt), context=context)

    async def _attempt(self, attempt: Attempt) -> None:
        attempt.begun = True
        current_attempt.set(attempt)
        try:
            settlement = await self._settlement(attempt)
        except Exception as error:  # noqa: BLE001 - an attempt must not vanish: whoever waits hears of it
            self._fail(error)
            self._leave(attempt)
            return
        if settlement is None:
            self._leave(attempt)
            return
        attempt.settlement = settlement
        if len(self._live) > 1 or self._stopping:
            self._committer.put(attempt)
            return
        try:
            await self._committer.put_alone(attempt)
        except Exception as error:  # noqa: BLE001 - as in the committer's own loop
            self._fail(error)

    async def _settlement(self, attempt: Attempt) -> Settlement | None:
        """Run an attempt to its end and decide what is to be committed; nothing if it was superseded."""
        outcome: Outcome | None = None
        try:
            if not (self._draining or attempt.superseded):
                live = self.book.get(attempt.run) or await self.book.load(attempt.run)
                pin = pin_handed_on(attempt.claim.pins)
                if pin is not None:
                    attempt.handed_on = await self.book.handed_on(live, pin)
                attempt.enter(live, self.registry)
                outcome = await self._runner.outcome_of(attempt)
                if attempt.confirmed is not None:
                    await asyncio.shield(attempt.confirmed)
        except asyncio.CancelledError as error:
            # Nobody but the agent itself can have cancelled it while the worker goes on.
            outcome = (
                None if self._stopping or not attempt.entered else self._runner.failure_of(attempt, error)
            )
        if attempt.superseded or (outcome is None and not self._draining):
            return None
        # From here on nobody may cancel the attempt.
        attempt.task = None
        self._free_slot(attempt)
        if outcome is None:
            return handed_back(attempt.claim)
        if attempt.unreadable is not None:
            outcome = Unreadable(attempt.unreadable.requires, attempt.unreadable.message)
        elif attempt.doubt is not None:
            outcome = InDoubt(attempt.doubt.message)
        jitter = self._chance.random() if isinstance(outcome, Failed) else 0.0
        settlement = settlement_of(
            attempt.claim,
            attempt.live.plan,
            attempt.step,
            outcome,
            self._claim_for,
            jitter,
            attempt.confirmed is not None,
        )
        if attempt.terms.settings.pools:
            self._claimer.maybe_ready = True  # the commit frees its places, for whoever waits for them
        if attempt.live.plan.speculative and settlement.token.epoch == 1:
            self._early.begin(attempt, settlement)
        return settlement

    def _leave(self, attempt: Attempt) -> None:
        attempt.task = None
        self._free_slot(attempt)
        if self._live.get(attempt.token.claim) is attempt:
            del self._live[attempt.token.claim]
        self._claimer.room_came_free()

    def _free_slot(self, attempt: Attempt) -> None:
        attempt.ended = True
        # The place of an attempt that started early is one that the commit claims: what becomes of it is seen there.
        if not attempt.released_slot and (attempt.confirmed is None or attempt.confirmed.done()):
            attempt.released_slot = True
            self._slots.release(attempt.claim.agent)

    def _settled(self, attempt: Attempt, settled: Settled, asked: bool, asked_at: float) -> None:
        settlement, token = attempt.settlement, attempt.token
        verdict, granted, run_state, ended_pause = settled
        ending, releases, handoff = settlement.ending, settlement.releases, settlement.handoff
        self._live.pop(token.claim, None)
        self.observer(attempt.claim, "lost" if verdict == "stale" else ending, settlement.data)
        claims: Sequence[Claim] = granted
        if releases and attempt.live.plan.speculative:
            claims = self._early.confirm(settlement, granted, asked_at)
        if len(granted) < len(releases):
            self._unreserve([release.agent for release in releases if release.claim], granted)
            lying = [(attempt.run, each.node, each.item) for each in releases if self.registry.lets_lie(each)]
            if lying and verdict != "stale":
                self._claimer.lies_ready(lying, asked)
        if verdict == "stale":
            if handoff is not None and attempt.live.plan.speculative:
                attempt.live.handoffs.pop((attempt.node, attempt.item, handoff.version), None)
            return
        if handoff is not None:
            self.book.remember(attempt.live, stored_handoff(token, handoff))
        if ended_pause:
            self._claimer.poke()
        if ending in ("retry", "reassigned", "handed_on"):
            self._claimer.poke_after(settlement.not_before)
        for claim in claims:
            self._start(claim, asked_at)
        if run_state is not None:
            self._on_run_state(attempt.run, run_state)

    def _running(self) -> Collection[Attempt]:
        """What keeps its lease: all that runs, but for what is not claimed before a commit has arrived."""
        if self._failed:
            return ()
        return [each for each in self._live.values() if each.confirmed is None or each.confirmed.done()]

    def _lost(self, attempt: Attempt) -> None:
        """The store has given the task to somebody else, or revoked it: stop working on it."""
        if not attempt.superseded:
            self.observer(attempt.claim, "lost", None)
        attempt.superseded = True
        attempt.cancel()

    def _fail(self, error: BaseException) -> None:
        """Something cannot go on, so that what runs here could not be settled: leave it to workers that can."""
        self._failed = True
        self._claimer.paused = True
        self._leaving.give_up()
        for attempt in list(self._live.values()):
            self._lost(attempt)
        self._on_failure(error)
