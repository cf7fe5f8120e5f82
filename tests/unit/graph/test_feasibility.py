"""A deadline that a graph cannot meet is refused before it runs, and only then."""

import pytest

from segue.domain.envelope.handoff import Later
from segue.domain.graph.agent import agent
from segue.domain.graph.feasibility import check_deadline, critical_path, in_order
from segue.domain.graph.workflow import workflow
from segue.errors import GraphError


@agent(takes="60s")
def research(goal: str) -> int:
    return 1


@agent(takes="20s")
def price(found: int) -> int:
    return 1


@agent(takes="90s")
def risks(found: int) -> int:
    return 1


@agent(takes="10s")
def write(prices: int, risks: int) -> int:
    return 1


@agent(takes="10s")
def late(prices: int, risks: Later[int]) -> int:
    return 1


@agent
def unmeasured(number: int) -> int:
    return 1


@workflow
def diamond(goal: str):
    found = research(goal)
    return write(price(found), risks(found))


def test_the_longest_path_decides():
    """The path that takes longest is named, each node with its time; the shorter branch is not on it."""
    graph = diamond.build().graph
    with pytest.raises(GraphError) as caught:
        check_deadline(graph, 120.0)
    assert caught.value.problems == (
        "the deadline is in 2m, and this path takes 2m 40s: research (1m) -> risks (1m 30s) -> write (10s)",
    )


@pytest.mark.parametrize("seconds", [160.0, 161.0, 10_000.0])
def test_a_deadline_that_can_be_met(seconds):
    """A deadline at or after the end of the longest path is fine, without a warning."""
    assert check_deadline(diamond.build().graph, seconds) is None


def test_just_too_early():
    """A second before the end of the longest path is too early."""
    with pytest.raises(GraphError):
        check_deadline(diamond.build().graph, 159.0)


def test_a_later_runs_side_by_side():
    """A task that awaits its input meanwhile does its own work, and cannot end before the input is there."""

    @workflow
    def drawn(goal: str):
        found = research(goal)
        return late(price(found), risks(found))

    path = critical_path(drawn.build().graph, {"research": 60, "price": 20, "risks": 90, "late": 10})
    assert path.seconds == 150
    assert [name for name, _ in path.steps] == ["research", "risks", "late"]
    short = critical_path(drawn.build().graph, {"research": 60, "price": 20, "risks": 5, "late": 10})
    assert (short.seconds, [name for name, _ in short.steps]) == (90, ["research", "price", "late"])


def test_recorded_durations_fill_in():
    """What nobody declared is taken from recorded durations of the agent; a declared one goes before them."""

    @workflow
    def drawn(goal: str):
        return unmeasured(research(goal))

    graph = drawn.build().graph
    assert check_deadline(graph, 100.0, {"unmeasured": 30.0, "research": 500.0}) is None
    with pytest.raises(GraphError, match=r"research \(1m\) -> unmeasured \(50s\)"):
        check_deadline(graph, 100.0, {"unmeasured": 50.0})


def test_what_is_not_known_is_a_warning():
    """Without a duration nothing is refused on its account, and the warning names who has none."""

    @workflow
    def drawn(goal: str):
        return unmeasured(unmeasured(research(goal)))

    graph = drawn.build().graph
    warning = check_deadline(graph, 100.0)
    assert warning is not None
    assert "nothing says how long unmeasured, unmeasured_2 take" in warning
    with pytest.raises(
        GraphError, match=r"this path takes 1m: research \(1m\) -> unmeasured -> unmeasured_2"
    ):
        check_deadline(graph, 59.0)


def test_what_may_be_skipped_is_a_warning():
    """A path over a condition, or over a list that may be empty, may take no time: it is warned of, not refused."""

    @workflow
    def conditional(goal: str, wanted: bool):
        found = research(goal)
        return write(price(found), risks.when(wanted)(found))

    @workflow
    def mapped(goals: list[str]):
        return research.map(goals)

    warning = check_deadline(conditional.build().graph, 120.0)
    assert warning is not None
    assert (
        "if nothing on it is skipped this path takes 2m 40s: research (1m) -> risks (1m 30s) -> write"
        in warning
    )
    assert "this path takes 1m" in str(check_deadline(mapped.build().graph, 30.0))
    with pytest.raises(GraphError, match="this path takes 1m 20s"):
        check_deadline(conditional.build().graph, 79.0)


def test_order():
    """Nodes come after all that they wait for, those behind a `Later` too."""

    @workflow
    def drawn(goal: str):
        found = research(goal)
        return late(price(found), risks(found))

    order = in_order(drawn.build().graph)
    assert order.index("late") == 3
    assert order[0] == "research"
