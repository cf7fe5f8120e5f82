"""What must be written when an attempt has ended: the one place where that is decided."""

from __future__ import annotations

import json

import pytest

from segue.domain.event_names import matches, matches_any
from segue.domain.graph.graph import Argument, Fallback, Graph, Node, Output, RunInput
from segue.domain.records import (
    SINGLE,
    Claim,
    HandoffRecord,
    Settlement,
    Token,
    parse_task_name,
    task_name,
)
from segue.domain.running.answering import Failed
from segue.domain.running.outcome import (
    Complete,
    Expanded,
    InDoubt,
    Outcome,
    Skipped,
    handed_back,
    settlement_of,
)
from segue.domain.running.plan import compile_plan
from segue.domain.settings.node_settings import NodeSettings
from segue.domain.settings.options import RunOptions
from segue.domain.settings.retrying import RetryPolicy

PLAN = compile_plan(
    Graph(
        "w",
        "1",
        (),
        (
            Node("a", "agent", "1", (), "s", settings=NodeSettings(retry=RetryPolicy(2, 4.0))),
            Node("b", "b", "1", (Argument("p", Output("a")),), "s"),
        ),
        Output("b"),
    )
)


def claim(node: str = "a", attempt: int = 1) -> Claim:
    """A claim of a node, of which every attempt before has failed."""
    agent = PLAN.steps[node].node.agent
    token = Token("run", node, SINGLE, attempt, f"claim{attempt}")
    return Claim(token, agent, attempt, 1, (), False, 0.0, failures=attempt - 1)


def record(status: str) -> HandoffRecord:
    """A hand-off of a status."""
    return HandoffRecord(1, status, b'{"output":1}', 1, f"sha256:{status}", "s", 0.0, 1.0, ())


def settle(outcome: Outcome, node: str = "a", attempt: int = 1, jitter: float = 0.0) -> Settlement:
    """Decide, for a worker that would run everything."""
    return settlement_of(
        claim(node, attempt), PLAN, PLAN.steps[node], outcome, lambda agent: "next", jitter, speculative=False
    )


def failed(*, final: bool = False) -> Failed:
    """An error with its hand-off."""
    return Failed({"kind": "ValueError", "message": "no"}, record("failed"), "another" if final else "again")


def test_a_complete_hand_off_releases_its_dependents() -> None:
    """The dependent is released with the pin of exactly this hand-off, and claimed for the same worker."""
    settlement = settle(Complete(record("complete")))
    assert settlement.ending == "complete"
    (release,) = settlement.releases
    assert release.pins is not None
    assert (release.node, release.claim, release.pins[0].digest) == ("b", "next", "sha256:complete")
    assert settlement.run_resolved == 0
    assert settle(Complete(record("complete")), node="b").run_resolved == 1


def test_a_review_holds_everything_back() -> None:
    """A hand-off that needs review releases nobody and does not bring the run nearer to its end."""
    settlement = settle(Complete(record("needs_review")), node="b")
    assert (settlement.ending, settlement.releases, settlement.run_resolved) == ("needs_review", (), 0)


@pytest.mark.parametrize(("attempt", "delay_seconds"), [(1, 4.0), (2, 8.0)])
def test_a_failure_is_tried_again_later(attempt: int, delay_seconds: float) -> None:
    """While there are retries left an attempt leaves no hand-off, and each wait is twice the one before."""
    settlement = settle(failed(), attempt=attempt)
    assert (settlement.ending, settlement.handoff, settlement.releases) == ("retry", None, ())
    assert settlement.not_before == delay_seconds
    assert json.loads(settlement.data or "") == {"kind": "ValueError", "message": "no", "attempt": attempt}


@pytest.mark.parametrize(("attempt", "final"), [(3, False), (1, True)])
def test_the_last_failure_is_handed_over(attempt: int, final: bool) -> None:
    """Without retries left, or where another try cannot help, the failure is a hand-off that breaks its dependents."""
    settlement = settle(failed(final=final), attempt=attempt)
    assert settlement.ending == "failed"
    assert settlement.handoff is not None
    assert [release.broken for release in settlement.releases] == [True]


def test_a_fallback_gets_the_task_and_nobody_else_hears_of_it() -> None:
    """The task goes to the agent that comes next, with the reason, and releases nobody yet."""
    chain = (Fallback("x", "1", "", NodeSettings()),)
    plan = compile_plan(Graph("w", "1", (), (Node("a", "a", "1", (), "s", fallbacks=chain),), None))
    first = Claim(Token("run", "a", SINGLE, 1, "c"), "a", 1, 1, (), False, 0.0)
    handed = settlement_of(
        first, plan, plan.steps[first.token.node], failed(), lambda agent: "next", 0.0, speculative=False
    )
    assert (handed.ending, handed.agent, handed.successor, handed.releases) == ("reassigned", "a", "x", ())
    assert json.loads(handed.data or "")["successor"] == "x"
    second = first._replace(agent="x")
    last = settlement_of(
        second, plan, plan.steps[second.token.node], failed(), lambda agent: "next", 0.0, speculative=False
    )
    assert (last.ending, last.agent, last.successor) == ("failed", "x", None)


def test_a_list_that_cannot_be_made_is_not_for_a_fallback() -> None:
    """What fails before a mapped node's items are there is no failure of its agent."""
    chain = (Fallback("x", "1", "", NodeSettings()),)
    mapped = Node(
        "m",
        "m",
        "1",
        (Argument("p", RunInput("urls")),),
        "s",
        map_parameter="p",
        map_limit=3,
        fallbacks=chain,
    )
    plan = compile_plan(Graph("w", "1", (), (mapped,), None))
    for item, ending in ((SINGLE, "failed"), (0, "reassigned")):
        of_list = Claim(Token("run", "m", item, 1, "c"), "m", 1, 1, (), False, 0.0)
        settlement = settlement_of(
            of_list,
            plan,
            plan.steps[of_list.token.node],
            failed(),
            lambda agent: None,
            0.0,
            speculative=False,
        )
        assert settlement.ending == ending


def test_a_failure_that_all_can_bear_is_tolerated() -> None:
    """The settlement of a failure says whether the run can be complete without the task."""
    bears = Node("b", "b", "1", (Argument("p", Output("a"), optional=True),), "s")
    plan = compile_plan(Graph("w", "1", (), (Node("a", "a", "1", (), "s"), bears), Output("b")))
    for node, tolerated in (("a", True), ("b", False)):
        of_node = Claim(Token("run", node, SINGLE, 1, "c"), node, 1, 1, (), False, 0.0)
        settlement = settlement_of(
            of_node,
            plan,
            plan.steps[of_node.token.node],
            failed(),
            lambda agent: None,
            0.0,
            speculative=False,
        )
        assert settlement.tolerated is tolerated


def test_a_skip_is_passed_on() -> None:
    """A skipped task leaves no hand-off and breaks those that need it."""
    settlement = settle(Skipped({"kind": "condition", "message": "false"}))
    assert (settlement.ending, settlement.handoff) == ("skipped", None)
    assert [(release.pins, release.broken) for release in settlement.releases] == [((), True)]


def test_a_doubt_leaves_everything_open() -> None:
    """A task in doubt hands nothing over and releases nobody: a person's word is still to come."""
    settlement = settle(InDoubt("effect 'charge' of a is in doubt"))
    assert (settlement.ending, settlement.handoff, settlement.releases) == ("in_doubt", None, ())
    assert settlement.run_resolved == 0
    told = {"kind": "EffectInDoubt", "message": "effect 'charge' of a is in doubt", "attempt": 1}
    assert json.loads(settlement.data or "") == told


def test_handing_back_releases_nobody() -> None:
    """A worker that ends gives the task back as it was."""
    settlement = handed_back(claim())
    assert (settlement.ending, settlement.releases, settlement.not_before) == ("handed_back", (), 0.0)


def test_an_expansion_tells_its_size() -> None:
    """The event of an expansion says how many items there are."""
    assert json.loads(settle(Expanded(3)).data or "") == {"count": 3}


def test_options_survive_their_json() -> None:
    """What is not set takes no space, and everything comes back."""
    assert RunOptions().to_json() == "{}"
    options = RunOptions(
        "goal", ("a", "b"), 12.5, "00-1-2-01", None, {"timeout_seconds": 2.0, "idle_seconds": None}
    )
    assert RunOptions.from_json(options.to_json()) == options


@pytest.mark.parametrize(
    ("pattern", "fits"),
    [
        ("task.research.complete", True),
        ("task.complete", True),
        ("task.research.*", True),
        ("task.*", True),
        ("*", True),
        ("task.other.complete", False),
        ("task.failed", False),
        ("task.research.failed", False),
        ("run.complete", False),
        ("run.*", False),
    ],
)
def test_patterns_of_event_names(pattern: str, fits: bool) -> None:
    """A pattern leaves out the agent, the kind, or both."""
    assert matches("task.research.complete", pattern) is fits


def test_agents_with_dots_in_their_names() -> None:
    """The agent is everything between the first and the last dot."""
    assert matches("task.price.compare.complete", "task.complete")
    assert matches("task.price.compare.complete", "task.price.compare.*")
    assert not matches("task.price.compare.complete", "task.price.*")
    assert matches_any("run.started", ())


def test_names_of_tasks() -> None:
    """An item of a mapped node is written with its place, and read back."""
    for node, item in (("a", SINGLE), ("a", 0), ("sub.a", 12)):
        assert parse_task_name(task_name(node, item)) == (node, item)
    with pytest.raises(ValueError, match=r"'a\[x\]' is not the name of a task"):
        parse_task_name("a[x]")
