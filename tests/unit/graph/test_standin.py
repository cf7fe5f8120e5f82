"""Stand-ins: any field name works, and whatever would need the value is refused with line and remedy."""

import asyncio
import inspect
import operator
from collections.abc import Callable
from typing import Any, NamedTuple

import pytest
from pydantic import RootModel, ValidationError

from segue.domain.graph.agent import agent
from segue.domain.graph.graph import Output, RunInput
from segue.domain.graph.standin import StandIn, inside
from segue.domain.graph.workflow import condition, workflow
from segue.errors import StandInError
from tests.unit.graph.helpers import Findings, measure, price, research


def in_a_workflow(use: Callable[[Any], Any]) -> Any:
    """What `use` makes of the stand-in for an output, inside a workflow."""
    kept = []

    @workflow
    def drawn(goal: str):
        kept.append(use(research(goal)))

    drawn._draft()
    return kept[0]


@pytest.mark.parametrize(
    ("use", "part"),
    [
        (bool, "the truth of the stand-in for research"),
        (lambda found: not found.risky, "the truth of the stand-in for research.risky"),
        (lambda found: found and 1, "the truth"),
        (list, "iteration over"),
        (lambda found: [*found.competitors], "iteration over the stand-in for research.competitors"),
        (len, "the length"),
        (str, "formatting"),
        (lambda found: f"{found.competitors}", "formatting"),
        (lambda found: "%s" % found, "formatting"),  # noqa: UP031
        ("{:>3}".format, "formatting"),
        (lambda found: found == 1, "comparison"),
        (lambda found: found != 1, "comparison"),
        (lambda found: found < 1, "comparison"),
        (lambda found: found >= 1, "comparison"),
        (lambda found: "a" in found.competitors, "`in`"),
        (hash, "the hash"),
        (lambda found: {found: 1}, "the hash"),
        (lambda found: found + 1, "arithmetic"),
        (lambda found: "a" + found.goal, "arithmetic"),
        (lambda found: -found, "arithmetic"),
        (lambda found: 2**found, "arithmetic"),
        (round, "arithmetic"),
        (lambda found: divmod(found, 2), "arithmetic"),
        (lambda found: found | {}, "logic"),
        (
            lambda found: found.competitors.append("x"),
            "a call of the stand-in for research.competitors.append",
        ),
        (lambda found: found.model_dump(), "a call"),
        (int, "conversion"),
        (float, "conversion"),
        (lambda found: [1, 2][found], "conversion"),
        (operator.index, "conversion"),
        (reversed, "arithmetic"),
        (lambda found: found["a":"b"], "was given ['a':'b']"),
        (lambda found: found.competitors[1:], "was given [1:]"),
        (lambda found: found[None], "was given [None]"),
        (lambda found: found[True], "was given [True]"),
        (lambda found: setattr(found, "risky", True), "tried to set 'risky'"),
        (lambda found: delattr(found, "risky"), "a change"),
        (lambda found: operator.setitem(found, "risky", True), "a change"),
        (next, "use"),
    ],
)
def test_what_needs_the_value_is_refused(use, part):
    """Every way to use a stand-in as a value raises an error with the user's line, what it was, and a remedy."""
    with pytest.raises(StandInError) as caught:
        in_a_workflow(use)
    place, _, text = caught.value.message.partition(": ")
    assert place.rpartition(":")[0] == __file__
    assert part in text
    assert caught.value.remedy
    assert isinstance(caught.value, TypeError)


def test_the_line_is_that_of_the_mistake():
    """The error names the line on which the value was needed, not that of the workflow or the call."""

    @workflow
    def drawn(goal: str):
        found = research(goal)
        if found.risky:
            raise AssertionError

    first = inspect.getsourcelines(drawn.fn)[1]
    with pytest.raises(StandInError) as caught:
        drawn.build()
    assert caught.value.message.startswith(f"{__file__}:{first + 3}: ")
    assert ".when(" in caught.value.remedy


def test_awaiting_is_refused():
    """`await` of a stand-in is refused: a workflow waits for nothing."""

    async def wait(found: Any) -> None:
        await found

    with pytest.raises(StandInError, match="`await` of the stand-in for research"):
        in_a_workflow(lambda found: asyncio.run(wait(found)))


@pytest.mark.parametrize(
    "name",
    [
        "items",
        "keys",
        "count",
        "index",
        "draft",
        "binding",
        "annotation",
        "fn",
        "name",
        "_inside",
        "mro",
        "copy",
    ],
)
def test_any_field_name_works(name):
    """A stand-in has no attributes of its own that would hide a field."""
    below = in_a_workflow(lambda found: getattr(found, name))
    assert inside(below).binding == Output("research", (name,))


def test_paths_are_followed():
    """Fields by attribute and by key, and elements by number, all become one path."""
    below = in_a_workflow(lambda found: found.competitors[0]["x"].items[-1])
    assert inside(below).binding == Output("research", ("competitors", 0, "x", "items", -1))
    assert repr(below) == "<the stand-in for research.competitors[0].x.items[-1]>"


def test_python_may_look_without_harm():
    """A debugger's repr and a look for special methods do not need the value."""
    found = in_a_workflow(lambda found: found)
    assert repr(found) == "<the stand-in for research>"
    assert not hasattr(found, "__array__")
    assert isinstance(found, StandIn)


def test_a_model_made_of_stand_ins():
    """A model checks its values, which are not there yet: the error says so, with the line, and what to do instead."""

    @workflow
    def drawn(goal: str):
        found = research(goal)
        return price(Findings(competitors=found.competitors))

    first = drawn.fn.__code__.co_firstlineno
    with pytest.raises(StandInError) as caught:
        drawn.build()
    assert caught.value.message == (
        f"{__file__}:{first + 3}: the stand-in for research.competitors was put into a Findings, which needs values"
    )
    assert "Give a dict" in caught.value.remedy

    @workflow
    def wrong(goal: str):
        research(goal)
        return price(Findings(competitors=3))

    with pytest.raises(ValidationError):
        wrong.build()


class Pair(NamedTuple):
    left: Findings
    right: int


@agent
def fixed() -> tuple[str, list[int]]:
    return "", []


@agent
def named() -> Pair:
    return Pair(Findings(competitors=[]), 1)


@agent
def endless() -> tuple[int, ...]:
    return ()


@agent
def rooted() -> RootModel[tuple[int, str]]:
    return RootModel[tuple[int, str]]((1, ""))


def test_tuples_of_known_length_can_be_unpacked():
    """A tuple output gives as many stand-ins as it has elements, with their types."""
    seen = {}

    @workflow
    def drawn():
        text, numbers = fixed()
        pair, number = named()
        seen.update(text=text, numbers=numbers, pair=pair, number=number)
        return pair.competitors

    drawn.build()
    assert [inside(each).binding for each in seen.values()] == [
        Output("fixed", (0,)),
        Output("fixed", (1,)),
        Output("named", (0,)),
        Output("named", (1,)),
    ]


def test_unpacking_too_few_is_pythons_own_error():
    """The number of elements is known, so Python itself finds a wrong unpacking."""

    @workflow
    def drawn():
        _, _, _ = fixed()

    with pytest.raises(ValueError, match="not enough values"):
        drawn.build()


def test_tuples_of_unknown_length_cannot_be_unpacked():
    """`tuple[int, ...]` has no length while the graph is built."""

    @workflow
    def drawn():
        _, _ = endless()

    with pytest.raises(StandInError, match="iteration over"):
        drawn.build()


def test_inputs_are_stand_ins_too():
    """A parameter of a workflow stands for what the run will be given."""
    seen = []

    @workflow
    def drawn(findings: Findings):
        seen.append(inside(findings.competitors).binding)
        return measure.map(findings.competitors)

    drawn.build()
    assert seen == [RunInput("findings", ("competitors",))]


@condition
def is_risky(found: Findings) -> bool:
    return found.risky


def test_a_condition_is_for_when_only():
    """What a condition gives has no fields, no truth and no place among arguments."""
    with pytest.raises(StandInError, match="the truth of the stand-in for the condition 'is_risky'"):
        in_a_workflow(lambda found: bool(is_risky(found)))
    with pytest.raises(StandInError, match="the stand-in for the condition 'is_risky' has no fields"):
        in_a_workflow(lambda found: is_risky(found).x)
    with pytest.raises(StandInError, match="iteration"):
        in_a_workflow(lambda found: [*is_risky(found)])
