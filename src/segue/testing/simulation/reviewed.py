"""The oracle's eye on reviews: what is handed over has been shown to somebody who may decide, or its time was over."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from segue.domain.decisions import Decision, Word
from segue.domain.records import Settlement
from segue.domain.settings.reviewing import ANYBODY, Round, Then
from segue.testing.simulation.ledger import Accounts, Key, name_of

if TYPE_CHECKING:
    from segue.testing.simulation.world import World

MEANS: dict[Then, Word] = {"approve": "approved", "reject": "rejected", "escalate": "escalated"}


@dataclass(slots=True)
class OpenReview:
    """A hand-off that waits for a decision, as the oracle knows it."""

    version: int
    digest: str
    rounds: tuple[Round, ...]
    until: float | None
    escalations: int = 0

    @property
    def now(self) -> Round:
        """The terms that hold now."""
        return self.rounds[min(self.escalations, len(self.rounds) - 1)]


class Reviewed:
    """Judges what is decided on hand-offs."""

    def __init__(self, world: World, accounts: Accounts) -> None:
        self._world = world
        self._accounts = accounts
        self._open: dict[Key, OpenReview] = {}

    def settled(self, settlement: Settlement) -> None:
        """An attempt has ended: where there is to be a review, there is one."""
        token, handoff = settlement.token, settlement.handoff
        plan = self._world.plan_of(self._world.truth.runs[token.run])
        terms = plan.steps[token.node].terms.get(settlement.agent)
        rounds = terms.settings.review if terms is not None else ()
        if settlement.ending == "needs_review" and handoff is not None:
            rounds = rounds or (ANYBODY,)
            until = self._until(rounds[0].expires_seconds)
            self._open[token[:3]] = OpenReview(handoff.version, handoff.digest, rounds, until)
        elif settlement.ending == "complete" and rounds:
            self._wrong(f"{name_of(token[:3])} was handed over without its review")

    def decided(self, decision: Decision, verdict: str) -> None:
        """A decision was written, or not."""
        self._world.saw(f"decision {verdict}")
        if verdict != "accepted" or decision.word == "refused":
            return
        key = (decision.run, decision.node, decision.item)
        review = self._open.get(key)
        if review is None or decision.version != review.version:
            self._wrong(f"{name_of(key)} was {decision.word}, and nothing of it waited for that")
            return
        self._world.saw(f"{decision.word} {'in the end' if decision.by_policy else 'by a person'}")
        is_over = review.until is not None and review.until <= self._world.clock.wall()
        if is_over != decision.by_policy:
            self._wrong(f"{name_of(key)} was {decision.word} {'too late' if is_over else 'before its time'}")
        if decision.by_policy:
            self._check_terms(key, review, decision)
        else:
            self._check_word(key, review, decision)
        if decision.word == "escalated":
            review.escalations += 1
            review.until = self._until(review.now.expires_seconds)
        else:
            del self._open[key]

    def _check_terms(self, key: Key, review: OpenReview, decision: Decision) -> None:
        if decision.word != MEANS[review.now.then]:
            self._wrong(f"{name_of(key)} was {decision.word}, and its terms say {review.now.then}")

    def _check_word(self, key: Key, review: OpenReview, decision: Decision) -> None:
        told = json.loads(decision.data or "{}")
        if review.now.by and told["by"] not in review.now.by:
            self._wrong(f"{told['by']} decided on {name_of(key)}, and may not")
        written = decision.handoff.digest if decision.handoff is not None else None
        if {told["digest"], written} != {review.digest}:
            self._wrong(f"{told['by']} decided on {name_of(key)}, and has not seen what is there")

    def _until(self, seconds: float | None) -> float | None:
        return None if seconds is None else self._world.clock.wall() + seconds

    def _wrong(self, what: str) -> None:
        self._world.violated("I13", what)
