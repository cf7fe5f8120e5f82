"""Workflows: what calling agents draws, and what is kept of it."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any, TypedDict

import pytest

from segue.domain.envelope.handoff import Handoff, Ref
from segue.domain.envelope.payload import digest_of
from segue.domain.envelope.schema import schema_of
from segue.domain.graph.agent import agent
from segue.domain.graph.graph import (
    Argument,
    Collection,
    Condition,
    Constant,
    Output,
    RunInput,
    graph_from_json,
    graph_to_json,
    parents_of,
)
from segue.domain.graph.workflow import condition, workflow
from segue.errors import DefinitionError, GraphError, InvalidPayload, UsageError
from tests.unit.graph.helpers import Findings, Prices, Risks, add, measure, price, research, risks, write


@workflow
def compare(goal: str) -> str:
    found = research(goal)
    return write(found, price(found), risks(found))


def argument_of(built: Any, node: str, parameter: str) -> Argument:
    return next(each for each in built.graph.node(node).arguments if each.parameter == parameter)


def test_calls_become_nodes():
    """The example of the design: every call a node, every parameter where it comes from and how it crosses."""
    built = compare.build()
    assert [node.name for node in built.graph.nodes] == ["research", "price", "risks", "write"]
    assert [
        (each.parameter, each.binding, each.crossing) for each in built.graph.node("write").arguments
    ] == [
        ("found", Output("research"), "reference"),
        ("prices", Output("price"), "later"),
        ("risks", Output("risks"), "value"),
    ]
    assert parents_of(built.graph.node("write")) == ("research", "risks")
    assert built.graph.output == Output("write")
    assert built.output_annotation is str
    assert built.agents == {"research": research, "price": price, "risks": risks, "write": write}
    assert built.conditions == {}
    assert [each.name for each in built.inputs] == ["goal"]


def test_schemas_are_kept_by_fingerprint():
    """Every type that crosses has its JSON Schema in the built workflow, under the digest of its text."""
    built = compare.build()
    named = {argument.schema for node in built.graph.nodes for argument in node.arguments}
    named |= {node.output_schema for node in built.graph.nodes} | {each.schema for each in built.graph.inputs}
    assert named == set(built.schemas)
    assert all(digest_of(text.encode()) == fingerprint for fingerprint, text in built.schemas.items())
    assert argument_of(built, "write", "found").schema == schema_of(Findings).fingerprint


def test_a_workflow_is_built_once():
    """Building again gives the same object: the function is not called again."""
    assert compare.build() is compare.build()


def test_building_fails_the_same_way_twice():
    """A workflow that cannot be built says so each time."""

    @workflow
    def drawn(unused: int):
        return research("x")

    messages = []
    for _ in range(2):
        with pytest.raises(GraphError) as caught:
            drawn.build()
        messages.append(str(caught.value))
    assert messages[0] == messages[1]


def test_the_document_is_the_same_in_every_process(tmp_path: Path):
    """The pinned graph has no addresses, no places and no order of hashes: any process writes the same bytes."""
    script = tmp_path / "drawn.py"
    script.write_text(
        "from segue.domain.graph.agent import agent\n"
        "from segue.domain.graph.graph import graph_to_json\n"
        "from segue.domain.graph.workflow import workflow\n"
        "@agent\n"
        "def tag(names: set[str], more: dict[str, frozenset[int]], deep: list[set[str]]) -> int: ...\n"
        "@workflow\n"
        "def drawn(names: set[str] = frozenset({'x', 'y', 'z', 'w'})):\n"
        "    tag(names, {}, [])\n"
        "    return tag({'a', 'b', 'c', 'd'}, {'k': frozenset({9, 1, 5})}, [{'p', 'q', 'r'}])\n"
        "built = drawn.build()\n"
        "print(graph_to_json(built.graph), sorted(built.schemas))\n"
    )
    written = {
        subprocess.run(
            [sys.executable, str(script)],
            env={"PYTHONHASHSEED": str(seed), "PATH": ""},
            capture_output=True,
            text=True,
            check=True,
            cwd=folder,
        ).stdout
        for seed, folder in ((1, tmp_path), (2, "/"), (77, tmp_path))
    }
    assert len(written) == 1
    assert str(tmp_path) not in next(iter(written))


def test_the_document_reads_back():
    """The pinned JSON holds everything: reading it gives an equal graph, and writing that the same text."""

    @workflow(name="every.form", version="3")
    def drawn(goal: str, limits: list[int] = [1, 2]):  # noqa: B006
        found = research.when(is_long(goal, 3))(goal)
        counts = measure.map(found.competitors, limit=7, after=[price(Findings(competitors=[]))])
        return {"total": add([counts[0], 3]), "limits": limits}

    graph = drawn.build().graph
    text = graph_to_json(graph)
    assert graph_from_json(text) == graph
    assert graph_to_json(graph_from_json(text)) == text
    assert (graph.workflow, graph.version) == ("every.form", "3")
    assert graph.inputs[1].default == [1, 2]
    assert not graph.inputs[1].required


@condition
def is_long(text: str, length: int = 1) -> bool:
    return len(text) >= length


def test_names_are_counted():
    """The second call of an agent is `_2`, also where an agent has just that name."""

    @agent(name="measure_2")
    def other() -> int:
        return 1

    @workflow
    def drawn():
        return add([measure("a"), other(), measure("b"), measure("c"), other()])

    assert list(drawn.build().graph._by_name) == [
        "measure",
        "measure_2",
        "measure_3",
        "measure_4",
        "measure_2_2",
        "add",
    ]


def test_constants_are_checked_and_stored_as_json():
    """A plain value is checked against its parameter and stored as JSON data; what is left out is not stored."""

    @workflow
    def drawn():
        price(Findings(competitors=["a"]))
        price({"competitors": ["b"]})
        return measure("x", depth=4)

    built = drawn.build()
    assert argument_of(built, "price", "found").binding == Constant({"competitors": ["a"], "risky": False})
    assert argument_of(built, "price_2", "found").binding == Constant({"competitors": ["b"], "risky": False})
    assert argument_of(built, "measure", "depth").binding == Constant(4)

    @workflow
    def short():
        return measure("x")

    assert [each.parameter for each in short.build().graph.node("measure").arguments] == ["name"]


def test_literals_may_hold_stand_ins():
    """Lists, tuples and dicts with stand-ins in them are put together in the run, their constants checked."""

    @agent
    def take(found: Findings, pairs: list[tuple[str, int]], extra: dict[str, Any]) -> None: ...

    @workflow
    def drawn(goal: str):
        found = research(goal)
        take({"competitors": [goal, "b"], "risky": found.risky}, [(goal, 1)], {"x": [found], "y": 2})

    built = drawn.build()
    assert argument_of(built, "take", "found").binding == Collection(
        (Collection((RunInput("goal"), Constant("b"))), Output("research", ("risky",))),
        ("competitors", "risky"),
    )
    assert argument_of(built, "take", "pairs").binding == Collection(
        (Collection((RunInput("goal"), Constant(1))),)
    )
    assert argument_of(built, "take", "extra").binding == Collection(
        (Collection((Output("research"),)), Constant(2)), ("x", "y")
    )


def test_after_orders_without_handing_over():
    """`after=` takes one call or several, each once, and makes them parents without an argument."""

    @workflow
    def drawn(goal: str):
        first = research(goal)
        second = measure("x", after=first)
        return measure("y", after=[first, second, first.competitors])

    built = drawn.build()
    assert built.graph.node("measure").after == ("research",)
    assert built.graph.node("measure_2").after == ("research", "measure")
    assert parents_of(built.graph.node("measure_2")) == ("research", "measure")


def test_map_goes_over_the_first_or_the_named_list():
    """The list goes to the first parameter, or to the one that it is named for; the rest is the same for all."""

    @agent
    def scan(path: str, depths: list[int], note: str = "") -> int:
        return 1

    @workflow
    def drawn(paths: list[str], depths: list[int]):
        first = scan.map(paths, depths=[1, 2], limit=5)
        second = scan.map(path=paths, depths=depths)
        third = scan.map(path=["a", "b"], depths=[3], note="n")
        return [first, second, third]

    built = drawn.build()
    nodes = [built.graph.node(name) for name in ("scan", "scan_2", "scan_3")]
    assert [node.map_parameter for node in nodes] == ["path"] * 3
    assert [node.map_limit for node in nodes] == [5, 1000, 1000]
    assert argument_of(built, "scan", "path").binding == RunInput("paths")
    assert argument_of(built, "scan_3", "path").binding == Constant(["a", "b"])
    assert argument_of(built, "scan_3", "path").schema == schema_of(str).fingerprint
    assert built.graph.node("scan").arguments[1].binding == Constant([1, 2])


def test_conditions_are_stored_by_name():
    """A field, or a registered function with its arguments, decides; the functions are found by name."""

    @workflow
    def drawn(goal: str):
        found = research(goal)
        one = price.when(found.risky)(found)
        two = measure.when(is_long(goal, length=5)).map(found.competitors)
        return [one, two]

    built = drawn.build()
    assert built.graph.node("price").condition == Condition(Output("research", ("risky",)))
    assert built.graph.node("measure").condition == Condition(
        Collection((RunInput("goal"), Constant(5)), ("text", "length")), "is_long"
    )
    assert built.conditions == {"is_long": is_long}


def test_a_condition_decides_on_json():
    """The engine hands a condition the JSON of its arguments, which is checked like any input."""
    assert is_long.decide(b'{"text":"abc","length":3}', where="the condition")
    assert not is_long.decide(b'{"text":"","length":3}', where="the condition")
    assert is_long.decide(b'{"text":"abc"}', where="the condition")
    with pytest.raises(InvalidPayload, match=r"the condition of x: .* does not fit is_long: text"):
        is_long.decide(b'{"text":3}', where="the condition of x")

    @condition
    def judge(found: Findings) -> bool:
        return isinstance(found, Findings)

    assert judge.decide(b'{"found":{"competitors":[]}}', where="it")


def test_who_can_do_without():
    """`optional` says of each argument whether None will do wherever a source may have nothing to hand over."""

    @agent
    def take(
        one: Risks | None,
        two: Risks,
        each: list[int | None],
        whole: list[int] | None,
        envelope: Handoff[Findings] | None,
        pair: tuple[int | None, int],
        many: list[Ref[Findings]],
    ) -> None: ...

    @workflow
    def drawn(goal: str):
        found = research(goal)
        some = measure.map(found.competitors)
        maybe = measure.when(found.risky).map(found.competitors)
        take(risks(found), risks(found), some, maybe, found, (some[0], some[1]), [found])
        take(risks(found), risks(found), [some[0]], some, found, (some[0], 1), [found])

    built = drawn.build()
    first = {each.parameter: each.optional for each in built.graph.node("take").arguments}
    second = {each.parameter: each.optional for each in built.graph.node("take_2").arguments}
    assert first == {
        "one": True,
        "two": False,
        "each": True,
        "whole": True,
        "envelope": True,
        "pair": False,
        "many": False,
    }
    assert second == {**first, "whole": False, "pair": True}


def test_outputs_of_every_shape():
    """A run may return several outputs, a field, a constant or nothing; types follow where none is declared."""

    @workflow
    def several(goal: str):
        found = research(goal)
        return found, measure.map(found.competitors), 3

    @workflow
    def field(goal: str):
        return research(goal).competitors

    @workflow
    def listed(goal: str):
        return [research(goal).competitors[0], goal]

    @workflow
    def nothing(goal: str):
        research(goal)

    @workflow
    def declared(goal: str) -> dict[str, Any]:
        return {"found": research(goal), "constant": [1, 2]}

    assert several.build().output_annotation == tuple[Findings, list[int], Any]
    assert field.build().output_annotation == list[str]
    assert listed.build().output_annotation == list[str]
    assert nothing.build().graph.output is None
    assert declared.build().graph.output == Collection(
        (Output("research"), Constant([1, 2])), ("found", "constant")
    )


def test_a_workflow_inside_another():
    """A nested call adds its nodes under its own name, each time a new one, and hands its result on."""

    @workflow
    def pricing(goal: str, depth: int = 2) -> tuple[Prices, int]:
        found = research(goal)
        return price(found), measure(goal, depth=depth)

    @workflow
    def outer(goal: str):
        prices, count = pricing(goal)
        again, _ = pricing("constant", depth=count)
        return [prices, again]

    built = outer.build()
    assert list(built.graph._by_name) == [
        "pricing.research",
        "pricing.price",
        "pricing.measure",
        "pricing_2.research",
        "pricing_2.price",
        "pricing_2.measure",
    ]
    assert argument_of(built, "pricing.research", "goal").binding == RunInput("goal")
    assert argument_of(built, "pricing_2.research", "goal").binding == Constant("constant")
    assert argument_of(built, "pricing_2.measure", "depth").binding == Output("pricing.measure")
    assert built.graph.output == Collection((Output("pricing.price"), Output("pricing_2.price")))
    assert list(pricing.build().graph._by_name) == ["research", "price", "measure"]


def test_a_workflow_that_calls_itself():
    """Workflows that call one another in a circle are refused with the whole way round."""

    @workflow
    def ping(goal: str):
        return pong(goal)

    @workflow
    def pong(goal: str):
        return ping(goal)

    with pytest.raises(GraphError) as caught:
        ping.build()
    assert "a workflow calls itself: ping -> pong -> ping" in caught.value.problems[0]


def test_a_nested_call_with_wrong_arguments():
    """A nested workflow is not entered with arguments missing; all that is wrong with the call is said."""

    @workflow
    def outer(goal: str):
        return compare(gaol=goal)

    with pytest.raises(GraphError) as caught:
        outer.build()
    assert [each.partition(" (")[0] for each in caught.value.problems] == [
        "compare: has no parameter 'gaol'; it takes goal",
        "compare: misses 'goal'",
    ]


def test_calls_outside():
    """Workflows and conditions called elsewhere say what to do instead."""
    with pytest.raises(UsageError) as caught:
        compare("x")
    assert "workflow 'compare' was called outside a workflow" in caught.value.message
    assert "segue.run(compare, ...)" in caught.value.remedy
    with pytest.raises(UsageError, match="condition 'is_long' was called outside a workflow"):
        is_long("x")
    assert is_long.fn("x")


def test_declarations_that_cannot_work():
    """Asynchronous workflows and conditions, envelopes where values are due: refused with place and remedy."""
    with pytest.raises(DefinitionError, match=r"workflow 'drawn' .*it is an `async def`"):

        @workflow
        async def drawn(goal: str):
            return research(goal)

    with pytest.raises(DefinitionError, match=r"condition 'slow' .*it is an `async def`"):

        @condition
        async def slow(text: str) -> bool:
            return True

    @workflow
    def takes_envelope(found: Handoff[Findings]):
        return price(found)

    with pytest.raises(DefinitionError, match="its input 'found' is a Handoff"):
        takes_envelope.build()

    with pytest.raises(DefinitionError, match=r"takes \*goals"):

        @workflow
        def many(*goals: str): ...


def test_an_exception_in_a_workflow_is_left_alone():
    """What the user's own code raises comes out as it is, and the next workflow can be built."""

    @workflow
    def broken(goal: str):
        raise KeyError(goal.x)

    with pytest.raises(KeyError):
        broken.build()
    with pytest.raises(UsageError, match="outside a workflow"):
        research("x")


class Box(TypedDict):
    size: int


def test_two_workflows_in_one_module_do_not_mix():
    """A stand-in kept from another workflow is refused, by name."""
    kept = []

    @workflow
    def first(goal: str):
        kept.append(research(goal))
        return kept[0]

    @workflow
    def second():
        return price(kept[0])

    first.build()
    with pytest.raises(GraphError, match="the stand-in for research> belongs to another workflow"):
        second.build()


def test_the_pinned_text_is_plain_json():
    """The document is one JSON object that any program can read."""
    document = json.loads(graph_to_json(compare.build().graph))
    assert document["workflow"] == "compare"
    assert document["nodes"][0]["agent"] == "research"
