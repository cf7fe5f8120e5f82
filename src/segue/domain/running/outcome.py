"""How an attempt went, and what must be written about it: the decision that a store then makes true or refuses."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any, NamedTuple

from segue.domain.records import SINGLE, Claim, Ending, HandoffRecord, Pin, Pools, Release, Settlement
from segue.domain.running.answering import Failed, answer_to
from segue.domain.running.plan import (
    ClaimFor,
    Plan,
    Step,
    expansion_releases,
    run_resolved,
    settle_releases,
)


class Complete(NamedTuple):
    """The agent handed something over. It has a review if the agent asks for one, or its settings do in any case."""

    handoff: HandoffRecord


class Expanded(NamedTuple):
    """The list of a mapped node is known, and how many elements it has."""

    size: int


class Skipped(NamedTuple):
    """The agent did not run, for this cause."""

    cause: dict[str, Any]


class InDoubt(NamedTuple):
    """The attempt came to an effect of which nobody knows whether it happened: a person must say. Which, and why."""

    message: str


class HandedOn(NamedTuple):
    """The agent has handed its task to another one, which goes on from this hand-off."""

    handoff: HandoffRecord
    agent: str
    pools: Pools = ()


class Unreadable(NamedTuple):
    """An input is newer than this process can read: the task is for workers that read what is required."""

    requires: str
    message: str


Outcome = Complete | Expanded | Skipped | Failed | InDoubt | HandedOn | Unreadable


def settlement_of(
    claim: Claim,
    plan: Plan,
    step: Step,
    outcome: Outcome,
    claim_for: ClaimFor,
    jitter: float,
    speculative: bool,
) -> Settlement:
    """
    What a store must write when an attempt has ended this way.

    `step` is that of the plan, or where the task was handed on the one that its agent goes on with. `jitter` is a
    random number from 0 to 1 for the delay of a retry; `speculative` says that the attempt had started before its
    inputs were committed.
    """
    token, agent = claim.token, claim.agent
    _, name, item, _, _ = token
    if agent not in step.terms:
        agent = step.node.agent
    successor: str | None = None
    handoff: HandoffRecord | None = None
    releases: tuple[Release, ...] = ()
    resolved = 0
    review_seconds: float | None = None
    pools: Pools = ()
    match outcome:
        case Complete(handoff):
            rounds = step.terms[agent].settings.review
            if rounds:
                handoff = handoff._replace(status="needs_review")
                review_seconds = rounds[0].expires_seconds
            ending, data = handoff.status, None
            if ending == "complete":
                pin = Pin(name, item, handoff.version, handoff.digest, ending)
                releases = settle_releases(plan, name, item, pin, claim_for)
                resolved = run_resolved(plan, name)
        case Failed():
            return _settled_failure(claim, plan, step, outcome, agent, claim_for, jitter, speculative)
        case Skipped(cause):
            ending, data = "skipped", _json(cause)
            releases = settle_releases(plan, name, item, None, claim_for)
            resolved = run_resolved(plan, name)
        case HandedOn(handoff, successor, pools):
            ending, data = "handed_on", _json({"to": successor})
        case InDoubt(message):
            told = {"kind": "EffectInDoubt", "message": message, "attempt": claim.attempt}
            ending, data = "in_doubt", _json(told)
        case Unreadable(requires, message):
            return handed_back(claim, requires, _json({"requires": requires, "message": message}))
        case Expanded(size):
            ending, data = "expanded", _json({"count": size})
            releases = expansion_releases(plan, name, size, claim.pins, claim_for)
            resolved = run_resolved(plan, name, size)
    tolerated = False
    return Settlement(
        token,
        agent,
        ending,  # type: ignore[arg-type]
        handoff,
        releases,
        resolved,
        0.0,
        data,
        speculative,
        successor,
        tolerated,
        review_seconds,
        pools,
    )


def _settled_failure(
    claim: Claim,
    plan: Plan,
    step: Step,
    failed: Failed,
    agent: str,
    claim_for: ClaimFor,
    jitter: float,
    speculative: bool,
) -> Settlement:
    token = claim.token
    name, item = token.node, token.item
    terms = step.terms[agent]
    if step.node.map_parameter is not None and item == SINGLE:
        terms = replace(terms, fallback=None)  # no agent has failed: the list of its tasks cannot be made
    ending, delay_seconds, successor = answer_to(failed, claim, terms, jitter)
    told = {**failed.error, "attempt": claim.attempt}
    if ending not in ("failed", "dead"):
        if successor is not None:
            told["successor"] = successor
        return Settlement(
            token,
            agent,
            ending,
            None,
            (),
            0,
            delay_seconds,
            _json(told),
            speculative,
            successor=successor,
            pools=step.terms[successor].settings.pools if successor is not None else (),
        )
    handoff = failed.handoff
    pin = Pin(name, item, handoff.version, handoff.digest, "failed")
    return Settlement(
        token,
        agent,
        ending,
        handoff,
        settle_releases(plan, name, item, pin, claim_for),
        run_resolved(plan, name),
        0.0,
        _json(told),
        speculative,
        tolerated=step.tolerated,
    )


def handed_back(claim: Claim, requires: str | None = None, data: str | None = None) -> Settlement:
    """
    What a store must write when a worker gives a task back without having tried to its end: because it ends, or because
    it cannot read an input, for those that read what is required.
    """
    ending: Ending = "handed_back" if requires is None else "unreadable"
    return Settlement(claim.token, claim.agent, ending, None, (), 0, 0.0, data, False, requires=requires)


def _json(value: dict[str, Any]) -> str:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)
