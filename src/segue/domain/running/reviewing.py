"""
What becomes of a hand-off that waits for a person: who may decide, what a decision means, what happens without one.

Everything here is decided on what was read. The store accepts a decision only while the task is still where it was
read: this version, this round of its review, and within its time, or after it, by the store's own clock.
"""

from __future__ import annotations

import json
from typing import Any, NamedTuple

from segue.domain.decisions import Decision, Word
from segue.domain.graph.graph import Node
from segue.domain.records import HandoffRecord
from segue.domain.rows import TaskRecord
from segue.domain.running.plan import Plan, run_resolved, settle_releases
from segue.domain.settings.reviewing import ANYBODY, POLICY, Round
from segue.errors import Refusal


class Said(NamedTuple):
    """What somebody says about a hand-off: who, which way, about what, and why."""

    by: str
    approve: bool
    digest: str
    note: str = ""

    def is_about(self, shown: HandoffRecord) -> bool:
        """Whether what was shown is what waits."""
        return self.digest == shown.digest


class Objection(NamedTuple):
    """Why a word does not count: the kind, and what is so. `concerns_others`: it is told in the log."""

    reason: Refusal
    message: str
    remedy: str
    concerns_others: bool = False


def round_of(node: Node, agent: str, escalations: int) -> Round:
    """
    The round that the review of a task is in. `node` says how `agent` was called, who has handed over, or for whom it
    is a fallback.
    """
    own = (each.settings for each in node.fallbacks if each.agent == agent)
    rounds = next(own, node.settings).review
    return rounds[min(escalations, len(rounds) - 1)] if rounds else ANYBODY


def objection_to(
    said: Said,
    task: TaskRecord,
    shown: HandoffRecord,
    now: Round,
    wall: float,
    *,
    has_other_output: bool = False,
) -> Objection | None:
    """
    Why somebody may not decide so on what `shown` is the latest hand-off of; None if they may. `has_other_output`
    says that they give one of their own.
    """
    if not now.admits(said.by):
        names = ", ".join(now.by)
        return Objection(
            "no right", f"{said.by} may not decide on it", f"These may: {names}.", concerns_others=True
        )
    if not said.is_about(shown):
        return Objection(
            "other digest",
            f"what was shown is {said.digest}, and what waits is version {shown.version}, {shown.digest}",
            "Look at what is there now, and decide on that.",
            concerns_others=True,
        )
    if task.review_by is not None and task.review_by <= wall:
        return Objection(
            "expired",
            f"the time for a decision has run out {wall - task.review_by:.0f} s ago",
            f"Any worker will {now.then} it now; look again then.",
        )
    if said.approve and not (has_other_output or has_output(shown)):
        return Objection(
            "no output",
            "it has no output that could be approved: it was stopped before there was one",
            "Give it an output, or reject it.",
        )
    return None


def said_by_person(
    plan: Plan, task: TaskRecord, handoff: HandoffRecord, said: Said, decision: str, *, edited: bool
) -> Decision:
    """A person's decision: `handoff` is what is handed over, or refused, as the task's next version."""
    about: dict[str, Any] = {
        "by": said.by,
        "approved": said.approve,
        "note": said.note,
        "digest": said.digest,
    }
    if edited:
        about["edited"] = True
    if not said.approve:
        why = f": {said.note}" if said.note else ""
        about |= {"kind": "rejected", "message": f"{said.by} rejected it{why}"}
    return _settled(plan, task, handoff, decision, about, approve=said.approve, by_policy=False)


def said_by_terms(
    plan: Plan, node: Node, task: TaskRecord, shown: HandoffRecord, decision: str, wall: float
) -> Decision:
    """
    What the terms of a review say when nobody has decided in time; `node` is as for `round_of`. Where there is nothing
    to hand over they can only reject.
    """
    now = round_of(node, task.agent, task.escalations)
    about: dict[str, Any] = {"by": POLICY, "expired": True}
    if now.then == "escalate":
        following = round_of(node, task.agent, task.escalations + 1)
        return _unsettled(task, "escalated", decision, about | {"to": list(following.by)})._replace(
            by_policy=True, review_seconds=following.expires_seconds
        )
    approve = now.then == "approve" and has_output(shown)
    about |= {"approved": approve, "digest": shown.digest}
    if not approve:
        who = f"none of {', '.join(now.by)}" if now.by else "nobody"
        about |= {"kind": "expired", "message": f"{who} has decided on it in time"}
    handoff = next_version(shown, wall)
    return _settled(plan, task, handoff, decision, about, approve=approve, by_policy=True)


def has_output(shown: HandoffRecord) -> bool:
    """Whether there is an output: a task that goes round in circles waits for a person without one."""
    return bool(shown.schema)


def told_refusal(task: TaskRecord, said: Said, objection: Objection, decision: str) -> Decision:
    """What is told of somebody who may not decide so."""
    about = {"by": said.by, "approve": said.approve, "digest": said.digest, "reason": objection.reason}
    return _unsettled(task, "refused", decision, about)


def next_version(shown: HandoffRecord, wall: float) -> HandoffRecord:
    """The same hand-off once more, as what was decided on."""
    return shown._replace(version=shown.version + 1, completed_at=wall)


def _settled(
    plan: Plan,
    task: TaskRecord,
    handoff: HandoffRecord,
    decision: str,
    about: dict[str, Any],
    *,
    approve: bool,
    by_policy: bool,
) -> Decision:
    handoff = handoff._replace(status="complete" if approve else "failed")
    pin = handoff.pin(task.node, task.item)
    return Decision(
        id=decision,
        run=task.run,
        node=task.node,
        item=task.item,
        version=task.version,
        escalations=task.escalations,
        word="approved" if approve else "rejected",
        by_policy=by_policy,
        handoff=handoff,
        releases=settle_releases(plan, task.node, task.item, pin, lambda agent: None),
        run_resolved=run_resolved(plan, task.node),
        data=json.dumps(about),
        tolerated=not approve and plan.steps[task.node].tolerated,
    )


def _unsettled(task: TaskRecord, word: Word, decision: str, about: dict[str, Any]) -> Decision:
    named = (decision, task.run, task.node, task.item, task.version, task.escalations)
    return Decision(*named, word, False, None, (), 0, json.dumps(about))
