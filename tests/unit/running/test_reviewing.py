"""What a word on a hand-off in review means, and what the terms of the review say without one."""

from __future__ import annotations

import json
from typing import Any

import pytest

from segue import Review, agent, workflow
from segue.domain.records import HandoffRecord
from segue.domain.rows import TaskRecord
from segue.domain.running.plan import Plan, compile_plan
from segue.domain.running.reviewing import (
    Said,
    next_version,
    objection_to,
    round_of,
    said_by_person,
    said_by_terms,
)
from segue.domain.settings.reviewing import Round

NOW = 1_700_000_000.0
SHOWN = HandoffRecord(1, "needs_review", b'{"output":"x"}', 3, "sha256:1", "sha256:s", NOW - 9, NOW - 5, ())
STOPPED = SHOWN._replace(schema="", body=b'{"output":null}')


def plan_with(review: Review) -> Plan:
    """A draft that is reviewed, and one that takes it and can do without."""

    @agent(review=review)
    def draft(text: str) -> str:
        return text

    @agent
    def send(text: str | None) -> str:
        return text or ""

    @workflow
    def answer(text: str) -> str:
        return send(draft(text))

    return compile_plan(answer.build().graph)


def task(**facts: Any) -> TaskRecord:
    """The draft as it stands in a store, in review."""
    row = ("run", "draft", -1, "draft", "needs_review", 1, 1, 1, "claim", "worker", (), NOW, NOW, NOW, None)
    return TaskRecord(*row)._replace(**facts)


@pytest.mark.parametrize(
    ("said", "review_by", "shown", "reason"),
    [
        (Said("ann", True, "sha256:1"), None, SHOWN, None),
        (Said("ann", True, "sha256:1"), NOW + 0.1, SHOWN, None),
        (Said("ann", True, "sha256:1"), NOW, SHOWN, "expired"),
        (Said("eve", True, "sha256:2"), NOW, SHOWN, "no right"),
        (Said("ann", False, "sha256:2"), NOW, SHOWN, "other digest"),
        (Said("ann", True, "sha256:1"), None, STOPPED, "no output"),
        (Said("ann", False, "sha256:1"), None, STOPPED, None),
    ],
)
def test_why_a_word_does_not_count(
    said: Said, review_by: float | None, shown: HandoffRecord, reason: str | None
) -> None:
    """First who says it, then about what, then when: who may not is not told what there is."""
    objection = objection_to(said, task(review_by=review_by), shown, Round(("ann",)), NOW)
    assert (objection and objection.reason) == reason


def test_an_approval_releases_and_a_rejection_tells() -> None:
    """Approved, the dependents get the next version; rejected, they are told that there is nothing, and why."""
    plan = plan_with(Review(by="ann"))
    handoff = next_version(SHOWN, NOW)
    said = Said("ann", True, SHOWN.digest, "fine")
    yes = said_by_person(plan, task(), handoff, said, "id", edited=False)
    assert (yes.word, yes.version, yes.tolerated, yes.by_policy) == ("approved", 1, False, False)
    (release,) = yes.releases
    assert release.pins is not None
    assert (release.pins[0].version, release.pins[0].status, release.claim) == (2, "complete", None)
    no = said_by_person(plan, task(), handoff, said._replace(approve=False), "id", edited=False)
    assert no.handoff is not None
    assert (no.word, no.handoff.status, no.tolerated) == ("rejected", "failed", True)
    assert json.loads(no.data or "")["message"] == "ann rejected it: fine"


@pytest.mark.parametrize(
    ("then", "shown", "word"),
    [
        ("approve", SHOWN, "approved"),
        ("reject", SHOWN, "rejected"),
        ("approve", STOPPED, "rejected"),
    ],
)
def test_the_terms_settle_a_review(then: Any, shown: HandoffRecord, word: str) -> None:
    """They say what was to happen; where there is nothing that could be handed over they can only reject."""
    plan = plan_with(Review(by="ann", expires="1h", then=then))
    decision = said_by_terms(plan, plan.graph.node("draft"), task(), shown, "id", NOW)
    assert (decision.word, decision.by_policy, decision.escalations) == (word, True, 0)
    assert json.loads(decision.data or "")["by"] == "policy"


def test_the_terms_pass_a_review_on() -> None:
    """Escalated, the task stays as it is, and those who come next have their own time, for ever if nobody says."""
    plan = plan_with(Review(by="ann", expires="1h", then="escalate", escalate_to=Review(by=("b", "c"))))
    node = plan.graph.node("draft")
    decision = said_by_terms(plan, node, task(), SHOWN, "id", NOW)
    assert (decision.word, decision.handoff, decision.releases) == ("escalated", None, ())
    assert decision.review_seconds is None
    assert json.loads(decision.data or "")["to"] == ["b", "c"]
    assert [round_of(node, "draft", count).by for count in (0, 1, 7)] == [("ann",), ("b", "c"), ("b", "c")]
