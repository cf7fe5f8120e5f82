"""Everything that is wrong with a workflow is said at once, each with the path that is wrong."""

import pytest
from pydantic import BaseModel, create_model

from segue.domain.envelope.handoff import Handoff, Later, Ref
from segue.domain.graph.agent import agent
from segue.domain.graph.graph import Output, RunInput
from segue.domain.graph.workflow import condition, workflow
from segue.errors import DefinitionError, GraphError
from tests.unit.graph.helpers import Findings, Prices, add, measure, price, problems, research, risks, write


def test_everything_is_said_at_once_with_its_line():
    """One error holds every problem, each with the line of the call that it is in."""

    @workflow
    def drawn(goal: str, unused: int):
        found = research(3)
        price(goal)
        return measure(found.nothing)

    first = drawn.fn.__code__.co_firstlineno
    with pytest.raises(GraphError) as caught:
        drawn.build()
    assert set(caught.value.problems) == {
        f"research.goal: the value does not fit str: Input should be a valid string (got 3) ({__file__}:{first + 2})",
        f"goal -> price.found: str does not fit Findings ({__file__}:{first + 3})",
        "measure.name: research.nothing leads nowhere: Findings has no field 'nothing'; it has: competitors, risky "
        f"({__file__}:{first + 4})",
        "the input 'unused' is used by nothing; use it or take it away",
    }
    assert str(caught.value).startswith("workflow 'drawn' cannot run, 4 problems:\n  - ")


def test_two_classes_of_one_name_are_told_with_their_modules():
    """What two modules each call Result cannot cross in one graph: both are named, and what to write above one."""
    billed = create_model("Result", __module__="shop.billing", total=(int, ...))
    ordered = create_model("Result", __module__="shop.orders", items=(list[str], ...))

    @agent
    async def order(goal: str) -> ordered:
        return ordered(items=[goal])

    @agent
    async def bill(orders: ordered) -> billed:
        return billed(total=len(orders.items))

    def sold(goal: str) -> int:
        return bill(order(goal)).total

    assert problems(sold) == [
        "two classes called Result cross here, shop.orders.Result and shop.billing.Result. "
        'Name one of them otherwise: @payload(version="1", name="...").'
    ]


def test_arguments_that_do_not_match_the_parameters():
    """Missing, unknown, doubled and surplus arguments are each named."""

    def drawn():
        research()
        research("a", goal="b")
        measure("a", 1, 2)
        measure("a", deep=1)

    assert problems(drawn) == [
        "research: misses 'goal'",
        "research_2: got 'goal' twice",
        "measure: takes 2 arguments by position and got 3",
        "measure_2: has no parameter 'deep'; it takes name, depth",
    ]


def test_elements_are_counted_from_the_start():
    """The last of a tuple is known by its number; how long a list is only a run knows, so it has no [-1] before it."""

    @agent
    async def pair(goal: str) -> tuple[str, int]:
        return goal, 1

    @workflow
    def of_a_tuple(goal: str) -> int:
        return measure(goal, pair(goal)[-1])

    def of_a_list(goal: str):
        return measure(research(goal).competitors[-1])

    drawn = {node.name: node for node in of_a_tuple.build().graph.nodes}
    assert [each.binding for each in drawn["measure"].arguments] == [RunInput("goal"), Output("pair", (1,))]
    assert problems(of_a_list) == [
        "measure.name: research.competitors[-1] leads nowhere: elements are counted from the start, so no [-1]",
    ]


def test_types_that_cannot_fit():
    """A whole output, a field, an element and an input are compared with what the parameter takes."""

    def drawn(number: int):
        found = research("x")
        measure(number)
        measure(found)
        measure(found.competitors)
        measure("x", depth=found.competitors[0])
        add([found.competitors[0], number, "y"])
        price({"competitors": found.competitors[0]})
        add({"a": number})
        measure([number])

    assert problems(drawn) == [
        "number -> measure.name: int does not fit str",
        "research -> measure_2.name: Findings does not fit str",
        "research.competitors -> measure_3.name: list[str] does not fit str",
        "research.competitors[0] -> measure_4.depth: str does not fit int",
        "research.competitors[0] -> add.numbers[0]: str does not fit int",
        "research.competitors[0] -> price.found.competitors: str does not fit list[str]",
        "add_2.numbers: a dict does not fit list[int]",
        "measure_5.name: a list does not fit str",
        "add.numbers[2]: the value does not fit int: Input should be a valid integer, unable to parse string as an "
        "integer (got 'y')",
    ]


class Wanted(BaseModel):
    competitors: list[str]
    size: int
    year: int


def test_fields_that_are_missing_are_named():
    """An object without the fields that the receiver requires is refused, with their names."""

    @agent
    def take(found: Wanted) -> None: ...

    def drawn(goal: str):
        take(research(goal))

    assert problems(drawn) == [
        "research -> take.found: Findings does not fit Wanted: it has no 'size', 'year'",
    ]


def test_what_may_fit_is_let_through():
    """Optional outputs, open types and lists of anything are left to the check on receipt."""

    @agent
    def maybe() -> Findings | None: ...

    @agent
    def anything(): ...

    @workflow
    def drawn(goal, number: float):
        price(maybe())
        price(anything())
        measure(anything().field[0].deeper)
        research(goal)
        measure("x", depth=number)
        return add(anything())

    assert len(drawn.build().graph.nodes) == 10


def test_envelopes_need_whole_outputs():
    """`Handoff`, `Ref` and `Later` are what an agent hands over: no constants, no inputs, no fields of outputs."""

    @agent
    def take(whole: Handoff[Findings], pointer: Ref[list[str]], later: Later[list[str]]) -> None: ...

    def drawn(goal: str):
        found = research(goal)
        take(Findings(competitors=[]), goal, goal)
        take(found, found.competitors, found.competitors)
        take([found], found, found)

    assert problems(drawn) == [
        "take.whole: Handoff[Findings] needs the output of an agent; take the type in it for plain values",
        "take.pointer: Ref[list[str]] needs the output of an agent; take the type in it for plain values",
        "take.later: Later[list[str]] needs the output of an agent, which it awaits; a value that is there already "
        "fits T",
        "research.competitors -> take_2.pointer: Ref[list[str]] needs a whole output, and a field of one crosses as a "
        "value only; take list[str]",
        "take_3.whole: Handoff[Findings] needs the output of an agent; take the type in it for plain values",
        "research -> take_3.pointer: Findings does not fit list[str]",
        "research -> take_3.later: Findings does not fit list[str]",
    ]


def test_lists_of_envelopes():
    """`list[Handoff[T]]` takes a list of calls or the result of a map, and nothing else."""

    @agent
    def take(all_of_them: list[Handoff[int]]) -> None: ...

    @agent
    def one(it: Handoff[int]) -> None: ...

    @agent
    def numbers() -> list[int]: ...

    def drawn(names: list[str]):
        counts = measure.map(names)
        take(counts)
        take([measure("a"), counts[0], research("x"), 3])
        take(numbers())
        take(research.map(names))
        one(counts)
        one(counts[0])

    assert problems(drawn) == [
        "measure[0] -> take_2.all_of_them[1]: list[Handoff[int]] needs a whole output, and a field of one crosses as "
        "a value only; take int",
        "research -> take_2.all_of_them[2]: Findings does not fit int",
        "take_2.all_of_them[3]: list[Handoff[int]] needs the output of an agent; take the type in it for plain values",
        "take_3.all_of_them: list[Handoff[int]] needs the outputs of several tasks: a list of calls, or the result of "
        "agent.map(...)",
        "research_2 -> take_4.all_of_them: Findings does not fit int",
        "measure -> one.it: one hand-off for each element of a map; take list[...] of them",
        "measure[0] -> one_2.it: Handoff[int] needs a whole output, and a field of one crosses as a value only; "
        "take int",
    ]


def test_none_for_an_envelope():
    """An envelope that accepts None may be given None; one that does not, and a `Later`, may not."""

    @agent
    def take(maybe: Handoff[Findings] | None, later: Later[Prices | None] | None = None) -> None: ...

    @workflow
    def fine(goal: str):
        research(goal)
        take(None)

    assert len(fine.build().graph.node("take").arguments) == 1

    def drawn():
        risks(None)
        take(None, None)

    assert problems(drawn) == [
        "risks.found: Handoff[Findings] needs the output of an agent; take the type in it for plain values",
        "take.later: Later[Prices | None] needs the output of an agent, which it awaits; a value that is there already "
        "fits T",
    ]


def test_maps():
    """A map needs a list whose elements fit, a parameter that takes single values, and a limit."""

    @agent
    def whole(found: Handoff[Findings], note: str = "") -> None: ...

    def drawn(goal: str, names: list[str], numbers: list[int]):
        found = research(goal)
        measure.map(goal)
        measure.map(found)
        measure.map(numbers)
        measure.map([1, goal])
        whole.map([found])
        measure.map(names, limit=0)
        measure.map(depth=3)
        measure.map(name=names, depth=numbers, other=1)

    assert problems(drawn) == [
        "measure_6: misses 'name'",
        "measure_6: .map does not know which list to go over; put it first: measure.map(items, ...)",
        "measure_7: has no parameter 'other'; it takes name, depth",
        "measure_7: .map does not know which list to go over; put it first: measure.map(items, ...)",
        "goal -> measure.name: .map needs a list, and str is none",
        "research -> measure_2.name: .map needs a list, and Findings is none",
        "numbers -> measure_3.name: list[int] does not fit list[str]",
        "whole.found: .map hands over single elements, and Handoff[Findings] takes whole hand-offs; take T",
        "measure_5: limit=0 lets nothing through; use a number from 1",
        "measure_4.name[0]: the value does not fit str: Input should be a valid string (got 1)",
    ]


def test_a_parameter_called_limit_cannot_be_mapped():
    """`.map` has a keyword of that name, so an agent with such a parameter says so."""

    @agent
    def take(name: str, limit: int = 3) -> None: ...

    @workflow
    def drawn(names: list[str]):
        take.map(names)

    with pytest.raises(DefinitionError, match="its parameter 'limit' has the name of a keyword"):
        drawn.build()


@condition
def is_large(number: int, than: int = 3) -> bool:
    return number > than


@condition
def reads(found: Handoff[Findings]) -> bool:
    return bool(found.decisions)


@condition
def blind() -> bool:
    return True


def test_conditions():
    """A condition is true or false in the run: a field of that kind, or a function whose arguments fit."""

    def drawn(goal: str):
        found = research(goal)
        price.when(found)(found)
        price.when(found.competitors)(found)
        price.when(True)(found)
        price.when(is_large(found))(found)
        price.when(is_large(3, before=2))(found)
        measure(is_large(3))

    assert problems(drawn) == [
        "price_3: .when(True) is known while the graph is built, so it is no condition of a run; use a plain `if`, or "
        "a field of an output",
        "condition is_large: has no parameter 'before'; it takes number, than",
        "measure.name: <the stand-in for the condition 'is_large'> is for agent.when(...) only",
        "research -> the condition of price: Findings does not fit bool; use an @condition function to decide on it",
        "research.competitors -> the condition of price_2: list[str] does not fit bool; use an @condition function to "
        "decide on it",
        "research -> the condition of price_4.number: Findings does not fit int",
    ]


@pytest.mark.parametrize(
    ("decide", "part"),
    [
        (lambda found: reads(found), "condition 'reads' .*its parameter 'found' is a Handoff"),  # noqa: PLW0108
        (lambda found: blind(), "condition 'blind' .*it takes nothing"),
    ],
)
def test_conditions_that_cannot_decide(decide, part):
    """A condition that takes envelopes or nothing is refused when it is used."""

    @workflow
    def drawn(goal: str):
        found = research(goal)
        return price.when(decide(found))(found)

    with pytest.raises((GraphError, DefinitionError), match=part):
        drawn.build()


def test_after_something_that_is_no_call():
    """Only calls of agents can come before; inputs and plain values are refused."""

    def drawn(goal: str):
        research(goal, after=goal)
        research(goal, after=["research"])

    assert problems(drawn) == [
        "research: after=<the stand-in for goal> is no call of an agent",
        "research_2: after='research' is no call of an agent",
    ]


def test_two_agents_under_one_name():
    """Different functions under one name are refused with both places; the same one may be called often."""

    def second_place():
        @agent(name="research")
        def other() -> int:
            return 1

        return other

    other = second_place()

    @workflow
    def drawn(goal: str):
        research(goal)
        research(goal)
        other()

    with pytest.raises(GraphError) as caught:
        drawn.build()
    assert caught.value.problems == (
        f"two agents are called 'research': at {research.place} and at {other.place}; "
        'give one of them another name: @agent(name="...")',
    )


def test_two_conditions_under_one_name():
    """Different conditions under one name are refused with both places."""

    @condition(name="is_large")
    def other(number: int) -> bool:
        return False

    @workflow
    def drawn(number: int):
        measure.when(is_large(number))("x")
        measure.when(other(number))("x")

    with pytest.raises(GraphError) as caught:
        drawn.build()
    assert f"two conditions are called 'is_large': at {is_large.place} and at {other.place}" in str(
        caught.value
    )


def test_what_a_workflow_returns_must_fit():
    """The declared return type is compared with what is returned, element by element."""

    def single(goal: str) -> int:
        return research(goal)  # type: ignore[return-value]

    def several(goal: str) -> tuple[int, str]:
        return research(goal).competitors, 3  # type: ignore[return-value]

    assert problems(single) == ["research -> the output: Findings does not fit int"]
    assert problems(several) == [
        "research.competitors -> the output[0]: list[str] does not fit int",
        "the output[1]: the value does not fit str: Input should be a valid string (got 3)",
    ]


def test_a_workflow_that_calls_nobody():
    """A workflow without a single call has nothing to run."""

    def drawn(goal: str):
        return goal

    assert problems(drawn) == ["it calls no agent, so there is nothing to run"]


def test_types_that_cannot_cross():
    """A parameter or an output without a JSON form is refused before anything runs, once."""

    class Opaque:
        pass

    @agent
    def make() -> Opaque: ...

    @agent
    def take(it: Opaque) -> None: ...

    def drawn():
        take(make())
        take(make())

    found = problems(drawn)
    assert len(found) == 3
    assert "the output of agent 'make' has the type Opaque, which cannot cross a hand-off" in found[0]
    assert "the parameter take.it has the type Opaque" in found[1]


def test_the_design_example_is_sound():
    """What the design shows has no problem, and one wrong wire in it has exactly one."""

    def crossed(goal: str) -> str:
        found = research(goal)
        return write(found, risks(found), risks(found))

    assert problems(crossed) == [
        "risks -> write.prices: Risks does not fit Prices: it has no 'by_name'",
    ]
