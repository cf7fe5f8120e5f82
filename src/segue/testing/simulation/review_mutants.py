"""Code without one of the rules of reviews."""

from __future__ import annotations

from typing import Any

from segue.domain.running.reviewing import Said
from segue.domain.settings.reviewing import Round
from segue.engine import engine
from segue.stores import wording
from segue.stores.memory.rows import Run
from segue.stores.memory.store import MemoryStore
from segue.testing.simulation.planting import without


@without("anybody decides", "On a review decides who was asked.", (Round, "admits"))
def _lets_everybody(_: Any) -> Any:
    return lambda self, name: True


@without("digest not compared", "A decision is on what was shown, and on nothing else.", (Said, "is_about"))
def _takes_any_digest(_: Any) -> Any:
    return lambda self, shown: True


@without(
    "decided at any time", "People decide before a review is over, its terms after it.", (wording, "in_time")
)
def _never_too_late(_: Any) -> Any:
    return lambda decision, review_by, wall: True


@without("asked the same again", "A review that was passed on is with others.", (MemoryStore, "review"))
def _stays_in_its_round(original: Any) -> Any:
    async def review(self: Any, decision: Any) -> Any:
        verdict = await original(self, decision)
        if decision.word == "escalated" and verdict == "accepted":
            self._state.runs[decision.run].tasks[decision.node, decision.item].escalations = 0
        return verdict

    return review


@without(
    "parked taken for progress",
    "A parked claim does not move a run in which all that it waits for waits for a person.",
    (Run, "_moves"),
)
def _takes_parked_for_progress(_: Any) -> Any:
    return lambda self, task: task.state in {"ready", "claimed", "paused"}


@without("review left out", "What has a review is not handed over without it.", (engine, "settlement_of"))
def _hands_over(original: Any) -> Any:
    def settlement_of(*args: Any) -> Any:
        settlement = original(*args)
        if settlement.ending != "needs_review":
            return settlement
        return settlement._replace(
            ending="complete", handoff=settlement.handoff._replace(status="complete"), review_seconds=None
        )

    return settlement_of
