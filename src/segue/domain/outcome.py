"""How an attempt went, and what must be written about it: the decision that a store then makes true or refuses."""

from __future__ import annotations

import json
from typing import Any, NamedTuple

from segue.domain.plan import ClaimFor, Plan, expansion_releases, run_resolved, settle_releases
from segue.domain.records import Claim, HandoffRecord, Pin, Release, Settlement


class Complete(NamedTuple):
    """The agent handed something over, or asks for a review of it."""

    handoff: HandoffRecord


class Expanded(NamedTuple):
    """The list of a mapped node is known, and how many elements it has."""

    size: int


class Skipped(NamedTuple):
    """The agent did not run, for this cause."""

    cause: dict[str, Any]


class Failed(NamedTuple):
    """The attempt raised, or handed over a failure. `final` says that another try would fail in the same way."""

    error: dict[str, Any]
    handoff: HandoffRecord
    final: bool


Outcome = Complete | Expanded | Skipped | Failed


def settlement_of(
    claim: Claim, plan: Plan, outcome: Outcome, claim_for: ClaimFor, jitter: float, speculative: bool
) -> Settlement:
    """
    What a store must write when an attempt has ended this way.

    `jitter` is a random number from 0 to 1 for the delay of a retry; `speculative` says that the attempt had started
    before its inputs were committed.
    """
    token = claim.token
    name = token.node
    agent = plan.steps[name].node.agent
    handoff: HandoffRecord | None = None
    releases: tuple[Release, ...] = ()
    resolved = 0
    delay_seconds = 0.0
    data: str | None = None
    match outcome:
        case Complete(handoff):
            ending = handoff.status
            if ending == "complete":
                pin = Pin(name, token.item, handoff.version, handoff.digest, ending)
                releases = settle_releases(plan, name, pin, claim_for)
                resolved = run_resolved(plan, name)
        case Failed(error, handoff, final):
            retry = plan.steps[name].node.settings.retry
            data = _json({**error, "attempt": claim.attempt})
            if not final and retry.allows(claim.attempt, frozenset()):
                ending, handoff = "retry", None
                delay_seconds = retry.delay_seconds(claim.attempt, jitter)
            else:
                ending = "failed"
                pin = Pin(name, token.item, handoff.version, handoff.digest, ending)
                releases = settle_releases(plan, name, pin, claim_for)
                resolved = run_resolved(plan, name)
        case Skipped(cause):
            ending, data = "skipped", _json(cause)
            releases = settle_releases(plan, name, None, claim_for)
            resolved = run_resolved(plan, name)
        case Expanded(size):
            ending, data = "expanded", _json({"count": size})
            releases = expansion_releases(plan, name, size, claim.pins, claim_for)
            resolved = run_resolved(plan, name, size)
    return Settlement(token, agent, ending, handoff, releases, resolved, delay_seconds, data, speculative)  # type: ignore[arg-type]


def handed_back(claim: Claim) -> Settlement:
    """What a store must write when a worker ends and gives a task back without having tried to its end."""
    return Settlement(claim.token, claim.agent, "handed_back", None, (), 0, 0.0, None, False)


def _json(value: dict[str, Any]) -> str:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)
