"""
Speculative attempts: those that start while the commit which claims them is still on its way to disk.

Only where that commit is expected to make a dependent ready with epoch 1: of a single parent, itself in its first. What
such an attempt hands over waits for the commit; if that fails or says otherwise, it is cancelled. One that grants the
dependent all the same, but with another epoch, is worked on like any other: both were tried again after the parent had
been cancelled before anybody claimed it, and the dependent skipped for that.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from segue.domain.records import SINGLE, Claim, Settlement, Token
from segue.engine.attempts.attempt import Attempt
from segue.engine.flow.slots import Slots
from segue.engine.inputs.book import stored_handoff
from segue.ports.clock import Clock


class Start(Protocol):
    """Starts what was claimed; `confirmed` is given where that is not certain yet."""

    def __call__(
        self, claim: Claim, asked_at: float, confirmed: asyncio.Future[None] | None = None, /
    ) -> None: ...


class EarlyStarts:
    """Begins them, and sees what the commit says. `live` are the attempts of this worker by claim."""

    def __init__(
        self,
        live: Mapping[str, Attempt],
        clock: Clock,
        slots: Slots,
        start: Start,
        lost: Callable[[Attempt], None],
    ) -> None:
        self._live = live
        self._clock = clock
        self._slots = slots
        self._start = start
        self._lost = lost

    def begin(self, attempt: Attempt, settlement: Settlement) -> None:
        """Start the dependents that declared it, before the settlement that claims them is committed."""
        plan = attempt.live.plan
        for release in settlement.releases:
            step = plan.steps[release.node]
            if release.claim and release.need == 1 and release.pins and step.node.settings.speculative:
                if settlement.handoff is not None:
                    sent = stored_handoff(settlement.token, settlement.handoff)
                    attempt.live.handoffs[(sent.node, sent.item, sent.record.version)] = sent
                token = Token(settlement.token.run, release.node, SINGLE, 1, release.claim)
                claim = Claim(token, release.agent, 1, 1, release.pins, release.broken, self._clock.wall())
                self._start(claim, self._clock.boot(), asyncio.get_running_loop().create_future())

    def confirm(self, settlement: Settlement, claims: Sequence[Claim], asked_at: float) -> list[Claim]:
        """The claims that are still to be started: those that were not, as they are, before they were committed."""
        granted = {claim.token.claim: claim for claim in claims}
        for release in settlement.releases:
            early = self._live.get(release.claim) if release.claim else None
            if early is None or early.confirmed is None:
                continue
            claim = granted.get(early.token.claim)
            if claim is not None and claim.token == early.token and claim.pins == early.claim.pins:
                del granted[claim.token.claim]
                early.confirmed.set_result(None)
                early.renewed_at = asked_at
                if early.ended:
                    self._slots.release(early.claim.agent)
            else:
                self._lost(early)
        return list(granted.values())
