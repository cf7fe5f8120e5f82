"""Who waits for whom, and what the settling of a task means for the others."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from segue.domain.graph.graph import (
    Argument,
    Collection,
    Condition,
    Constant,
    Fallback,
    Graph,
    GraphInput,
    Node,
    Output,
    RunInput,
    graph_from_json,
    graph_to_json,
)
from segue.domain.records import SINGLE, Limits, Pin
from segue.domain.running import tolerance
from segue.domain.running.plan import (
    MAP_AGENT,
    compile_plan,
    expansion_releases,
    plan_from_json,
    root_releases,
    run_resolved,
    settle_releases,
)
from segue.domain.running.tolerance import tolerated_nodes
from segue.domain.settings.budgets import DEFAULT_BUDGETS
from segue.domain.settings.node_settings import NodeSettings
from segue.domain.settings.options import RunOptions
from segue.domain.settings.retrying import RetryPolicy


def node(name: str, *sources: str, **settings: object) -> Node:
    """A node that takes the outputs of others."""
    arguments = tuple(Argument(f"p{place}", Output(source)) for place, source in enumerate(sources))
    return Node(name, name, "1", arguments, "sha256:0", **settings)  # type: ignore[arg-type]


def graph(*nodes: Node) -> Graph:
    """A graph of nodes that returns the last one's output."""
    return Graph("w", "1", (), nodes, Output(nodes[-1].name))


def nobody(agent: str) -> None:
    """A worker that has no room."""
    return


def pin(name: str, item: int = SINGLE, status: str = "complete") -> Pin:
    """A first hand-off."""
    return Pin(name, item, 1, "sha256:1", status)


DIAMOND = compile_plan(graph(node("a"), node("b", "a"), node("c", "a"), node("d", "b", "c")))


def test_a_graph_survives_its_own_json() -> None:
    """Every kind of binding, condition, mapping and setting comes back as it was, and the same text again."""
    whole = Graph(
        "w",
        "2",
        (
            GraphInput("goal", "sha256:g", required=True),
            GraphInput("n", "sha256:n", required=False, default=[1]),
        ),
        (
            node("a"),
            Node(
                "b",
                "agent-b",
                "3",
                (
                    Argument("one", Constant({"x": [1, None]}), schema="sha256:s"),
                    Argument("two", RunInput("goal", ("field", 0)), "handoff", optional=True),
                    Argument("three", Collection((Output("a"), Constant(1)), ("k", "l")), "later"),
                    Argument("four", Collection((Output("a", ("x", 2)),)), "reference", each=True),
                ),
                "sha256:o",
                after=("a",),
                map_parameter="one",
                map_limit=7,
                condition=Condition(Output("a", ("ok",)), "is_ok"),
                settings=NodeSettings(
                    {"timeout_seconds": 2.0, "queue_seconds": None},
                    RetryPolicy(3, 0.5, retry_on=("TimeoutError",), terminal=("ValueError",)),
                    1.0,
                    speculative=True,
                    decisions_required=True,
                    on_overrun="fail",
                    losses=2,
                    on_failure="proceed",
                    quorum=2,
                ),
                fallbacks=(Fallback("agent-c", "2", "sha256:o", NodeSettings(on_failure="fail")),),
            ),
        ),
        Collection((Output("a"), Output("b")), None),
    )
    text = graph_to_json(whole)
    assert graph_from_json(text) == whole
    assert graph_to_json(graph_from_json(text)) == text
    assert plan_from_json(text) == compile_plan(whole)


def test_an_older_graph_still_loads() -> None:
    """A graph pinned before there were budgets has a limit or none, and the defaults for all that it does not know."""
    text = graph_to_json(graph(node("a")))
    document = json.loads(text)
    document["nodes"][0]["settings"] = {
        "timeout_seconds": None,
        "retries": 2,
        "backoff_seconds": 0.5,
        "takes_seconds": 1.0,
        "speculative": True,
        "decisions_required": False,
    }
    assert graph_from_json(json.dumps(document)).node("a").settings == NodeSettings(
        {"timeout_seconds": None}, RetryPolicy(2, 0.5), 1.0, speculative=True
    )


def test_the_nearest_word_on_a_budget_holds() -> None:
    """The agent's word comes before the run's, and that before the default; of deadlines all hold."""
    settings = NodeSettings({"timeout_seconds": 2.0, "deadline_seconds": 60.0})
    plan = compile_plan(graph(node("a"), node("b", "a", settings=settings)))
    assert plan.steps["a"].terms["a"].timeout_seconds == DEFAULT_BUDGETS["timeout_seconds"]
    assert plan.steps["a"].limits is None
    assert plan.under(RunOptions(goal="no budgets")) is plan

    run = plan.under(RunOptions(deadline=99.0, budgets={"timeout_seconds": None, "queue_seconds": 5.0}))
    assert [run.steps[name].terms[name].timeout_seconds for name in "ab"] == [None, 2.0]
    (release,) = settle_releases(run, "a", SINGLE, pin("a"), nobody)
    assert release.limits == Limits(5.0, 60.0, 99.0)
    assert root_releases(run, nobody)[0].limits == Limits(5.0, None, 99.0)


def test_each_agent_of_a_chain_has_its_own_terms() -> None:
    """A fallback works under its own settings, and knows who comes after it."""
    chain = (
        Fallback("x", "1", "", NodeSettings({"timeout_seconds": 1.0})),
        Fallback("y", "1", "", NodeSettings()),
    )
    terms = compile_plan(graph(node("a", fallbacks=chain))).steps["a"].terms
    assert [(agent, each.timeout_seconds, each.fallback) for agent, each in terms.items()] == [
        ("a", 3600.0, "x"),
        ("x", 1.0, "y"),
        ("y", 3600.0, None),
    ]


def test_only_what_waits_for_nothing_starts() -> None:
    """The roots of a diamond are the one task at its top, and its bottom ends the run."""
    assert [release.node for release in root_releases(DIAMOND, nobody)] == ["a"]
    assert [step.node.name for step in DIAMOND.steps.values() if step.ends_run] == ["d"]
    assert DIAMOND.waits_for == 1


def test_a_single_parent_pins_and_a_join_leaves_it_to_the_store() -> None:
    """A dependent with one parent gets its pin from the sender; one with two waits for both, and the store pins."""
    to_b, to_c = settle_releases(DIAMOND, "a", SINGLE, pin("a"), lambda agent: f"claim-{agent}")
    assert (to_b.node, to_b.need, to_b.resolved, to_b.pins, to_b.claim) == ("b", 1, 1, (pin("a"),), "claim-b")
    assert to_c.claim == "claim-c"
    (to_d,) = settle_releases(DIAMOND, "b", SINGLE, pin("b"), nobody)
    assert (to_d.need, to_d.resolved, to_d.parents, to_d.pins) == (2, 1, ("b", "c"), None)


def test_what_has_nothing_to_hand_over_breaks_those_who_need_it() -> None:
    """A failed or skipped task breaks its dependents, except where the parameter accepts None."""
    tolerant = Node("t", "t", "1", (Argument("p", Output("a"), optional=True),), "sha256:0")
    plan = compile_plan(graph(node("a"), node("b", "a"), tolerant))
    for settled in (pin("a", status="failed"), None):
        broken = {
            release.node: release.broken for release in settle_releases(plan, "a", SINGLE, settled, nobody)
        }
        assert broken == {"b": True, "t": False}
    assert not any(release.broken for release in settle_releases(plan, "a", SINGLE, pin("a"), nobody))


def test_a_later_is_no_need_and_still_ends_the_run() -> None:
    """A task awaited as `Later` does not hold its receiver back; the run waits for it by itself."""
    eager = Node("e", "e", "1", (Argument("p", Output("a"), "later"),), "sha256:0")
    plan = compile_plan(graph(node("a"), eager))
    assert {release.node for release in root_releases(plan, nobody)} == {"a", "e"}
    assert plan.waits_for == 2
    assert settle_releases(plan, "a", SINGLE, pin("a"), nobody) == ()


def test_an_expansion_makes_items_and_more_to_wait_for() -> None:
    """Three elements are three tasks of the agent; the dependent waits for three hand-offs instead of one."""
    mapped = node("m", "a", map_parameter="p0", map_limit=10)
    plan = compile_plan(graph(node("a"), mapped, node("z", "m")))
    assert settle_releases(plan, "a", SINGLE, pin("a"), nobody)[0].agent == MAP_AGENT
    releases = expansion_releases(plan, "m", 3, (pin("a"),), nobody)
    assert [(release.node, release.item, release.agent) for release in releases[:3]] == [
        ("m", 0, "m"),
        ("m", 1, "m"),
        ("m", 2, "m"),
    ]
    assert all(release.pins == (pin("a"),) for release in releases[:3])
    assert [(release.node, release.resolved) for release in releases[3:]] == [("z", -2)]
    # One by one the items make up for it: -2 + 3 = the one hand-off that z needs.
    assert settle_releases(plan, "m", 0, pin("m", 0), nobody)[0].pins is None


def test_an_empty_list_is_settled_at_once() -> None:
    """No elements: the dependent has what it waits for, and may be claimed with the expansion."""
    mapped = node("m", map_parameter="p0")
    plan = compile_plan(graph(mapped, node("z", "m")))
    (to_z,) = expansion_releases(plan, "m", 0, (), lambda agent: "claim")
    assert (to_z.resolved, to_z.claim, to_z.broken) == (1, "claim", False)


def test_the_end_of_a_run_is_counted_in_the_same_way() -> None:
    """A mapped node at the end is waited for once, then for each of its items."""
    plan = compile_plan(graph(node("a"), node("m", "a", map_parameter="p0")))
    assert run_resolved(plan, "a") == 0
    assert run_resolved(plan, "m") == 1
    assert run_resolved(plan, "m", 5) == -4
    assert run_resolved(plan, "m", 0) == 1


def join(*sources: str, quorum: int | None = None, optional: bool = True, name: str = "j") -> Node:
    """A join that proceeds with what there is."""
    settings = NodeSettings(on_failure="proceed", quorum=quorum)
    arguments = tuple(
        Argument(f"p{place}", Output(source), optional=optional) for place, source in enumerate(sources)
    )
    return Node(name, name, "1", arguments, "sha256:0", settings=settings)


def test_a_join_that_proceeds_is_never_broken() -> None:
    """It waits for all and needs none; what it only comes after need not have gone well either."""
    plan = compile_plan(graph(node("a"), node("b"), replace(join("a"), after=("b",))))
    for name in "ab":
        (release,) = settle_releases(plan, name, SINGLE, None, nobody)
        assert (release.need, release.resolved, release.broken, release.spare) == (2, 1, False, None)


def test_a_quorum_waits_for_so_many_and_can_spare_the_rest() -> None:
    """Three inputs and a quorum of two: what is there brings it nearer, what is missing uses up what it can spare."""
    plan = compile_plan(graph(node("a"), node("b"), node("c"), join("a", "b", "c", quorum=2)))
    (there,) = settle_releases(plan, "a", SINGLE, pin("a"), nobody)
    assert (there.need, there.spare, there.resolved, there.broken, there.pins) == (2, 1, 1, False, None)
    for missing in (pin("b", status="failed"), None):
        (release,) = settle_releases(plan, "b", SINGLE, missing, nobody)
        assert (release.need, release.spare, release.resolved, release.broken) == (2, 1, 0, True)


def test_a_run_ends_with_the_stragglers_of_a_quorum() -> None:
    """Nobody waits for all parents of a quorum, so the run does; not for those whom somebody else waits for."""
    plan = compile_plan(graph(node("a"), node("b"), node("c", "b"), join("a", "b", "c", quorum=2)))
    assert [name for name, step in plan.steps.items() if step.ends_run] == ["a", "c", "j"]
    assert plan.waits_for == 3


@st.composite
def settlings(draw: st.DrawFn) -> tuple[int, int | None, list[tuple[str, int, bool]]]:
    """
    The inputs of a join in some order: the largest and the real size of a mapped list (None: it failed as a whole),
    then node, item and whether something was handed over. The list comes before its elements.
    """
    limit = draw(st.integers(1, 5))
    size = draw(st.none() | st.integers(0, limit))
    others = [(f"s{place}", SINGLE) for place in range(draw(st.integers(0, 3)))]
    order = draw(st.permutations([*others, ("m", SINGLE)]))
    at = order.index(("m", SINGLE)) + 1
    order = [*order[:at], *draw(st.permutations([*order[at:], *(("m", item) for item in range(size or 0))]))]
    return limit, size, [(name, item, draw(st.booleans())) for name, item in order]


@given(settlings(), st.integers(1, 8))
def test_a_quorum_counts_each_element_of_a_list(
    drawn: tuple[int, int | None, list[tuple[str, int, bool]]], quorum: int
) -> None:
    """
    In whatever order inputs settle, the join starts with the one that makes the quorum, and breaks with the one after
    which it cannot be reached any more, if a store counts as the contract says.
    """
    limit, size, settling = drawn
    names = [name for name, _, _ in settling if name != "m"]
    there, possible = 0, limit + len(names)
    assume(quorum <= possible)
    mapped = node("m", "a", map_parameter="p0", map_limit=limit)
    plan = compile_plan(graph(node("a"), mapped, *map(node, names), join("m", *names, quorum=quorum)))
    waiting, spare = plan.steps["j"].need, plan.steps["j"].spare
    assert spare == possible - quorum
    for name, item, usable in settling:
        if (name, item) != ("m", SINGLE):
            handed = pin(name, item, "complete" if usable else "failed")
            releases = settle_releases(plan, name, item, handed, nobody)
            there, possible = there + usable, possible - (not usable)
        elif size is None:
            releases = settle_releases(plan, name, item, None, nobody)
            possible -= limit
        else:
            releases = expansion_releases(plan, name, size, (), nobody)
            possible -= limit - size
        (release,) = (each for each in releases if each.node == "j")
        waiting -= max(release.resolved, 0)
        spare -= max(1, -release.resolved) if release.broken else 0
        assert (waiting <= 0) == (there >= quorum)
        assert (spare < 0) == (possible < quorum)


def test_what_a_run_can_bear() -> None:
    """A failure is tolerated if everybody who would receive the hand-off can do without it, or is tolerated too."""
    weak = node("weak")
    assert tolerated_nodes(graph(weak, join("weak"))) == {"weak"}
    assert tolerated_nodes(graph(weak, join("weak", quorum=1))) == {"weak"}
    assert tolerated_nodes(graph(weak, node("shape", "weak"), join("shape"))) == {"weak", "shape"}
    assert (
        tolerated_nodes(graph(weak, node("needs", "weak"), join("weak"), node("end", "needs", "j")))
        == frozenset()
    )
    assert tolerated_nodes(graph(weak)) == frozenset(), (
        "nobody would have received it: it was for its own sake"
    )
    assert tolerated_nodes(replace(graph(weak, join("weak")), output=Output("weak"))) == frozenset()
    assert tolerated_nodes(graph(weak, join("weak"), node("last", "j"))) == {"weak"}


def test_a_wide_join_is_asked_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """What each node needs is found out once, and not again for each of thousands that it takes from."""
    asked: list[str] = []
    needed = tolerance.needed_parents_of

    def counted(each: Node) -> frozenset[str]:
        asked.append(each.name)
        return needed(each)

    monkeypatch.setattr(tolerance, "needed_parents_of", counted)
    many = [node(f"n{place}") for place in range(50)]
    tolerance.tolerated_nodes(graph(*many, node("j", *(each.name for each in many))))
    assert sorted(asked) == sorted([*(each.name for each in many), "j"])


def test_a_later_that_is_needed_is_not_borne() -> None:
    """Who awaits a value and does not accept None needs it; who accepts None does not."""
    for optional, tolerated in ((False, frozenset()), (True, {"a"})):
        eager = Node("e", "e", "1", (Argument("p", Output("a"), "later", optional=optional),), "sha256:0")
        assert tolerated_nodes(graph(node("a"), eager)) == tolerated
