"""Fallbacks that do not fit and joins that could not do what they are to do are refused before anything runs."""

import pytest

from segue.domain.envelope.handoff import Handoff
from segue.domain.graph.agent import agent
from segue.domain.graph.drawing.document import draw_json
from segue.domain.graph.drawing.text import draw_text
from segue.domain.graph.graph_data import graph_from_data
from segue.domain.graph.workflow import workflow
from segue.domain.settings.agent_settings import Quorum
from segue.domain.settings.retrying import Retry
from segue.errors import GraphError
from tests.unit.graph.helpers import Findings, Prices, problems, research


@agent
def cheaper(goal: str) -> Findings: ...


@agent
def asks_more(goal: str, budget: int) -> Findings: ...


@agent
def asks_less() -> Findings: ...


@agent
def asks_other(goal: int) -> Prices: ...


@agent
def asks_whole(goal: Handoff[str]) -> Findings: ...


def test_fallbacks_that_do_not_fit():
    """A fallback must take what the call gives and give what the agent gives; both types are named."""

    def drawn(goal: str):
        research.with_(fallback=cheaper)(goal)
        research.with_(fallback=asks_more)(goal)
        research.with_(fallback=asks_less)(goal)
        research.with_(fallback=cheaper.with_(fallback=asks_other))(goal)
        research.with_(fallback=asks_whole)(goal)

    assert problems(drawn) == [
        "research_2: its fallback 'asks_more' needs 'budget', a int, which the call does not give",
        "research_3: its fallback 'asks_less' does not take 'goal', a str",
        "research_4: its fallback 'asks_other' takes another 'goal': str does not fit int",
        "research_4: its fallback 'asks_other' gives something else: Prices does not fit Findings",
        "research_5: its fallback 'asks_whole' takes another 'goal': str does not fit Handoff[str]",
    ]


def test_agents_that_fall_back_on_themselves():
    """A chain in which an agent comes twice is refused, with the whole way round."""

    def drawn(goal: str):
        research.with_(fallback=research)(goal)
        cheaper.with_(fallback=research.with_(fallback=cheaper))(goal)

    assert problems(drawn) == [
        "research: an agent falls back on itself: research -> research",
        "cheaper: an agent falls back on itself: cheaper -> research -> cheaper",
    ]


def test_a_fallback_is_an_agent_of_the_workflow():
    """Whoever runs the workflow has its fallbacks; another agent of the name is refused like any other."""

    @workflow
    def drawn(goal: str):
        return research.with_(fallback=cheaper)(goal)

    built = drawn.build()
    assert built.agents == {"research": research, "cheaper": cheaper}
    assert [each.agent for each in built.graph.nodes[0].fallbacks] == ["cheaper"]

    other = agent(name="cheaper")(research.fn)

    def doubled(goal: str):
        research.with_(fallback=cheaper)(goal)
        other(goal)

    (problem,) = problems(doubled)
    assert "two agents are called 'cheaper'" in problem


@agent(on_failure="proceed")
def gather(
    one: Findings | None,
    some: list[Findings],
    named: dict[str, Findings],
    whole: list[Handoff[Findings]],
    pair: tuple[Findings | None, Findings | None],
    anything,
) -> str: ...


def test_what_can_proceed_without():
    """None where it is accepted, elements left out of lists and dicts: the graph says which."""

    @workflow
    def drawn(goal: str):
        found = research(goal)
        return gather(found, [found], {"a": found}, [found], (found, None), found)

    arguments = drawn.build().graph.nodes[1].arguments
    assert all(argument.optional for argument in arguments)
    sparse = {argument.parameter: getattr(argument.binding, "sparse", False) for argument in arguments}
    assert sparse == {
        "one": False,
        "some": True,
        "named": True,
        "whole": True,
        "pair": False,
        "anything": False,
    }


def test_joins_that_could_not_proceed():
    """A value that cannot be None cannot be left out either: not alone, in a tuple, or as a whole hand-off."""

    @agent(on_failure="proceed")
    def take(
        one: str, whole: Handoff[str], pair: tuple[str, int], deep: dict[str, tuple[str, int]]
    ) -> str: ...

    def drawn(goal: str):
        text = measure_text(goal)
        take(text, text, (text, 1), {"a": (text, 1)})

    assert [problem.partition(";")[0] for problem in problems(drawn)] == [
        "take.one: it is to proceed without measure_text if it must, and str does not accept None",
        "take.whole: it is to proceed without measure_text if it must, and Handoff[str] does not accept None",
        "take.pair: it is to proceed without measure_text if it must, and tuple[str, int] does not accept None",
        "take.deep: it is to proceed without measure_text if it must, and dict[str, tuple[str, int]] does not accept "
        "None",
    ]


@agent
def measure_text(text: str) -> str: ...


@agent(on_failure=Quorum(2))
def two_of(texts: list[str]) -> str: ...


def test_quorums_that_cannot_be_reached():
    """A quorum larger than the number of inputs is refused, with their names, and so is one of nothing."""

    def drawn(texts: list[str], goal: str):
        one = measure_text(goal)
        two_of([one])
        two_of(texts)
        two_of.with_(on_failure=Quorum(4))([one, *[measure_text(goal), measure_text(goal)]])
        two_of.with_(on_failure=Quorum(6))(measure_text.map(texts, limit=5))
        two_of.with_(on_failure=Quorum(5))(measure_text.map(texts, limit=5))
        two_of([one, one])

    assert problems(drawn) == [
        "two_of: a quorum of 2 cannot be reached; of inputs that are handed over it has only 1: measure_text",
        "two_of_2: a quorum of 2 cannot be reached; of inputs that are handed over it has none",
        "two_of_3: a quorum of 4 cannot be reached; of inputs that are handed over it has only 3: measure_text, "
        "measure_text_2, measure_text_3",
        "two_of_4: a quorum of 6 cannot be reached; of inputs that are handed over it has only 5: measure_text_4",
        "two_of_6: a quorum of 2 cannot be reached; of inputs that are handed over it has only 1: measure_text",
    ]


def test_a_quorum_counts_nothing_but_inputs():
    """What has to be waited for in any case, and places in a list that is not there yet, have no part in a quorum."""

    @agent(on_failure=Quorum(1))
    def first(text: str | None, other: str | None = None) -> str: ...

    def drawn(texts: list[str], goal: str):
        one, many = measure_text(goal), measure_text.map(texts)
        first(one, after=[one])
        first.when(one)(one)
        first.map([one, one])
        first(many[0], one)

    assert [problem.partition(";")[0] for problem in problems(drawn)][-4:] == [
        "first: a quorum counts what is handed over, and after= waits for more than that",
        "first_2: a quorum counts what is handed over, and .when waits for more than that",
        "first_3: a quorum counts what is handed over, and .map waits for more than that",
        "first_4: measure_text_2[0] has no place before all of measure_text_2 is there, for which a quorum does not "
        "wait",
    ]


def test_a_picture_shows_budgets_and_policies():
    """Every node says what it may take and what becomes of its failures, and every edge what happens without it."""

    @workflow
    def drawn(goal: str):
        best = research.with_(
            timeout="2m",
            idle=None,
            retries=Retry(2, backoff="3s", on=(TimeoutError,), terminal=("x.Fatal",)),
            on_overrun="fail",
            losses=2,
            fallback=cheaper.with_(queue="1m"),
        )(goal)
        one, other = measure_text(goal), measure_text(goal)
        strict = two_of.with_(on_failure="fail")([one, other], after=[best])
        loose = two_of.with_(on_failure="proceed")([one, other], after=[best])
        return two_of([strict, loose, one])

    built = drawn.build()
    text = draw_text(built.graph, built.schemas)
    for line in (
        "timeout 2m, no idle, 2 retries from 3s, only after TimeoutError, never after Fatal, no second try after an "
        "overrun, given up after 2 losses, falls back on cheaper (queue 1m)",
        "starts with 2 of its inputs",
        "goes on with what there is",
        "fails with what it needs",
        "fails without it",
        "goes on without it",
    ):
        assert line in " ".join(text.split()), line
    assert '"fallbacks": [\n        {\n          "agent": "cheaper"' in draw_json(built.graph, built.schemas)


AGENTS = {each.name: each for each in (research, cheaper, measure_text, two_of)}


def test_data_has_the_same_settings():
    """A graph given as data says `with` what a call in Python says with `with_`."""
    built = graph_from_data(
        {
            "workflow": "w",
            "inputs": ["goal"],
            "nodes": {
                "a": {
                    "agent": "research",
                    "arguments": {"goal": "$goal"},
                    "with": {
                        "timeout": "2m",
                        "retries": {"attempts": 2, "terminal": ["x.Fatal"]},
                        "fallback": "cheaper",
                    },
                },
                "b": {"agent": "measure_text", "arguments": {"text": "$goal"}, "with": {"retries": 3}},
                "c": {
                    "agent": "two_of",
                    "arguments": {"texts": ["$b"]},
                    "with": {"on_failure": {"quorum": 1}},
                },
            },
            "output": "$c",
        },
        AGENTS,
    )

    @workflow(name="w")
    def w(goal: str):
        research.with_(timeout="2m", retries=Retry(2, terminal=("x.Fatal",)), fallback=cheaper)(goal)
        return two_of.with_(on_failure=Quorum(1))([measure_text.with_(retries=3)(goal)])

    drawn = w.build().graph
    assert [(each.settings, each.fallbacks) for each in built.graph.nodes] == [
        (each.settings, each.fallbacks) for each in drawn.nodes
    ]


def test_bad_settings_in_data_are_named_with_their_place():
    """What `with_` would refuse is refused in data too, together with everything else that is wrong."""
    nodes = {
        name: {"agent": "measure_text", "arguments": {"text": "x"}, "with": settings}
        for name, settings in {
            "a": {"timeout": "soon"},
            "b": {"retires": 3},
            "c": {"retries": {"backoff": "1s"}},
            "d": {"retries": {"attempts": 1, "every": 2}},
            "e": {"fallback": "nobody"},
            "f": {"on_failure": {"quorum": 0}},
            "g": 3,
        }.items()
    }
    built = problems_of_data({"workflow": "w", "nodes": nodes})
    assert [problem.partition("with")[0] for problem in built] == [f"nodes.{name}." for name in "abcdefg"]
    for part in (
        "'soon' is not a duration",
        "'retires'",
        "'attempts'",
        "'every'",
        "no agent 'nobody'",
        "Quorum=0",
        "an object",
    ):
        assert any(part in problem for problem in built)


def problems_of_data(data):
    """Everything that is wrong with a graph given as data."""
    with pytest.raises(GraphError) as caught:
        graph_from_data(data, AGENTS)
    return list(caught.value.problems)
