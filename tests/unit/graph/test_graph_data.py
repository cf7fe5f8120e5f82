"""Graphs given as data: the same graph as one that is drawn, and every mistake named with its place in the document."""

import json

import pytest

from segue.domain.graph.graph import Collection, Constant, Output, RunInput, graph_to_json
from segue.domain.graph.graph_data import graph_from_data, parse_graph
from segue.domain.graph.workflow import condition, workflow
from segue.errors import GraphError
from tests.unit.graph.helpers import Findings, add, measure, price, research, risks, write

AGENTS = {each.name: each for each in (research, price, risks, measure, add, write)}


@condition
def is_long(text: str, length: int = 1) -> bool:
    return len(text) >= length


CONDITIONS = {"is_long": is_long}

DOCUMENT = {
    "workflow": "compare",
    "version": "2",
    "inputs": {"goal": "str", "depth": {"type": "int", "default": 2}},
    "nodes": {
        "research": {"agent": "research", "arguments": {"goal": "$goal"}},
        "price": {"agent": "price", "arguments": {"found": "$research"}, "when": "$research.risky"},
        "measure": {
            "agent": "measure",
            "arguments": {"name": "$research.competitors", "depth": "$depth"},
            "map": {"parameter": "name", "limit": 5},
            "after": ["price"],
            "when": {"condition": "is_long", "arguments": {"text": "$goal", "length": 3}},
        },
        "add": {"agent": "add", "arguments": {"numbers": ["$measure[0]", 3]}},
    },
    "output": {"total": "$add", "names": "$research.competitors"},
}


def problems(document, agents=AGENTS, conditions=CONDITIONS):
    with pytest.raises(GraphError) as caught:
        graph_from_data(document, agents, conditions)
    return list(caught.value.problems)


def test_data_and_calls_make_the_same_graph():
    """A document describes exactly what calls draw: the pinned texts are equal, and so is all that goes with them."""

    @workflow(name="compare", version="2")
    def drawn(goal: str, depth: int = 2):
        found = research(goal)
        prices = price.when(found.risky)(found)
        lengths = measure.when(is_long(goal, 3)).map(found.competitors, depth=depth, limit=5, after=prices)
        return {"total": add([lengths[0], 3]), "names": found.competitors}

    by_calls, by_data = drawn.build(), graph_from_data(DOCUMENT, AGENTS, CONDITIONS)
    assert graph_to_json(by_data.graph) == graph_to_json(by_calls.graph)
    assert by_data.schemas == by_calls.schemas
    assert by_data.agents == by_calls.agents
    assert by_data.conditions == by_calls.conditions
    assert [each.annotation for each in by_data.inputs] == [str, int]


def test_json_text_and_yaml_are_read():
    """Text that begins with a brace is JSON, other text YAML; both give what the mapping gives."""
    wanted = graph_to_json(graph_from_data(DOCUMENT, AGENTS, CONDITIONS).graph)
    assert graph_to_json(graph_from_data(json.dumps(DOCUMENT), AGENTS, CONDITIONS).graph) == wanted
    yaml = pytest.importorskip("yaml")
    text = yaml.safe_dump(DOCUMENT, sort_keys=False)
    assert graph_to_json(graph_from_data(text, AGENTS, CONDITIONS).graph) == wanted


def test_inputs_get_their_types_from_their_use():
    """Inputs that are only named have the types of the parameters that they go to."""
    built = graph_from_data(
        {
            "workflow": "w",
            "inputs": ["found", "names", "anything"],
            "nodes": {
                "price": {"agent": "price", "arguments": {"found": "$found"}},
                "measure": {"agent": "measure", "arguments": {"name": "$names"}, "map": "name"},
                "again": {"agent": "measure", "arguments": {"name": "$anything.x"}},
            },
            "output": "$price",
        },
        AGENTS,
    )
    assert [str(each.annotation) for each in built.inputs] == [str(Findings), "list[str]", "typing.Any"]
    assert built.output_annotation is AGENTS["price"].signature.output


def test_references_and_plain_text():
    """`$` refers, to nodes with dots in their names too; `$$` begins a plain text; anything else is a value."""
    built = graph_from_data(
        {
            "workflow": "w",
            "inputs": ["goal"],
            "nodes": {
                "sub.research": {"agent": "research", "arguments": {"goal": "$goal"}},
                "a": {"agent": "measure", "arguments": {"name": "$sub.research.competitors[0]"}},
                "b": {"agent": "measure", "arguments": {"name": "$$goal"}, "after": "$a"},
                "c": {"agent": "price", "arguments": {"found": {"competitors": ["$$x", "$goal", "5 $"]}}},
                "d": {"agent": "price", "arguments": {"found": {"competitors": ["$$x"]}}},
            },
        },
        AGENTS,
    )
    binding = {node.name: node.arguments[0].binding for node in built.graph.nodes}
    assert binding["a"] == Output("sub.research", ("competitors", 0))
    assert binding["b"] == Constant("$goal")
    assert built.graph.node("b").after == ("a",)
    assert binding["c"] == Collection(
        (Collection((Constant("$x"), RunInput("goal"), Constant("5 $"))),), ("competitors",)
    )
    assert binding["d"] == Constant({"competitors": ["$x"], "risky": False})
    assert built.graph.output is None


def node(agent="measure", **others):
    return {"agent": agent, "arguments": {"name": "x"}, **others}


def test_a_cycle_is_named_all_the_way_round():
    """Every cycle is told once, in the direction of the work, whatever closes it: data, order or condition."""
    document = {
        "workflow": "w",
        "nodes": {
            "a": node(after=["c"]),
            "b": node(after=["a"]),
            "c": node(when="$b"),
            "own": {"agent": "measure", "arguments": {"name": "$own"}},
            "end": node(after=["a", "own"]),
            "d": {"agent": "add", "arguments": {"numbers": ["$e", 1]}},
            "e": {"agent": "add", "arguments": {"numbers": ["$d"]}},
        },
    }
    cycles = [each for each in problems(document) if "cycle" in each]
    assert cycles == [
        "the nodes wait for one another in a cycle: a -> b -> c -> a",
        "the nodes wait for one another in a cycle: own -> own",
        "the nodes wait for one another in a cycle: d -> e -> d",
    ]


def test_a_cycle_through_a_later():
    """Waiting for a `Later` of a task that waits for this one would never end, so it is a cycle too."""
    document = {
        "workflow": "w",
        "inputs": ["goal"],
        "nodes": {
            "found": {"agent": "research", "arguments": {"goal": "$goal"}},
            "prices": {"agent": "price", "arguments": {"found": "$found"}, "after": ["report"]},
            "risks": {"agent": "risks", "arguments": {"found": "$found"}},
            "report": {
                "agent": "write",
                "arguments": {"found": "$found", "prices": "$prices", "risks": "$risks"},
            },
        },
    }
    assert problems(document) == ["the nodes wait for one another in a cycle: prices -> report -> prices"]


def test_everything_wrong_is_said_at_once():
    """Unknown agents, nodes, inputs, parameters, conditions and types, each with its place and a suggestion."""
    document = {
        "workflow": "w",
        "inputs": {"goal": "string", "unused": "int", "b": "int"},
        "nods": {},
        "nodes": {
            "a": {"agent": "reserch", "arguments": {"goal": "$goal"}},
            "b": {"agent": "measure", "arguments": {"nam": "$a.x"}, "wenn": True},
            "c": {"agent": "price", "arguments": {"found": "$d"}, "after": ["gone"]},
            "d": {"agent": "measure", "arguments": {"name": "$gone"}, "when": {"condition": "is_lang"}},
            "e": {"agent": "measure", "arguments": {"name": "$a b"}, "map": "depth"},
            "f": {"agent": "measure", "arguments": ["x"], "map": 3, "after": 4},
        },
        "output": "$c.nothing",
    }
    assert problems(document) == [
        "the graph: there is no 'nods' here; did you mean 'nodes'?",
        "nodes.b: there is an input of this name too, so $b could be either",
        "nodes.a: there is no agent 'reserch'; did you mean 'research'?",
        "nodes.b: there is no 'wenn' here; did you mean 'when'?",
        "nodes.b: has no parameter 'nam'; it takes name, depth",
        "nodes.b: misses 'name'",
        "nodes.d.arguments.name: there is no node or input 'gone'; there are: a, b, c, d, e, f, goal, unused",
        "nodes.d.when: there is no condition 'is_lang'; did you mean 'is_long'?",
        "nodes.e.arguments.name: '$a b' is no reference; write $node, $node.field, $node[0]; "
        '"$$" begins a plain text',
        "nodes.e.map: 'depth' is none of its arguments",
        "nodes.f.arguments: it must be an object of arguments by parameter",
        'nodes.f.map: it must be a parameter, or {"parameter": ..., "limit": ...}',
        "nodes.f: misses 'name'",
        "nodes.f.after: it must be the name of a node, or a list of names",
        "inputs.goal: there is no type 'string'; there are str, int, float, bool, list, dict, any",
        "the output: c.nothing leads nowhere: Prices has no field 'nothing'; it has: by_name",
        "c: it comes after 'gone', and there is no such node (nodes.c)",
        "d -> c.found: int | None does not fit Findings (nodes.c)",
        "the input 'unused' is used by nothing; use it or take it away",
        "the input 'b' is used by nothing; use it or take it away",
    ]


@pytest.mark.parametrize(
    ("document", "problem"),
    [
        ({"nodes": {"a": node()}}, "workflow: it must be a text"),
        ({"workflow": 3, "nodes": {"a": node()}}, "workflow: it must be a text"),
        ({"workflow": "w", "version": 2, "nodes": {"a": node()}}, "version: it must be a text"),
        ({"workflow": "w"}, "it calls no agent, so there is nothing to run"),
        ({"workflow": "w", "nodes": []}, "nodes: it must be an object of nodes by name"),
        ({"workflow": "w", "nodes": {"a": 3}}, 'nodes.a: it names no agent; write "agent": "..."'),
        (
            {"workflow": "w", "inputs": 3, "nodes": {"a": node()}},
            "inputs: it must be an object of types by name, or a list of names",
        ),
        (
            {"workflow": "w", "nodes": {"a": node(when=True)}},
            "nodes.a.when: True is no condition; refer to a field with $",
        ),
        (
            {"workflow": "w", "nodes": {"a[1]": node()}},
            '\'a[1]\' is no name of a node: use letters, digits, "_", "-" and "." (nodes.a[1])',
        ),
        (
            {"workflow": "w", "nodes": {"segue.a": node()}},
            "'segue.a' is no name of a node: names that begin with 'segue.' are Segue's own (nodes.segue.a)",
        ),
        (
            {"workflow": "w", "nodes": {"a": node(map={"parameter": "name", "limit": "x"})}},
            "a: limit='x' lets nothing through; use a number from 1 (nodes.a)",
        ),
    ],
)
def test_a_document_of_the_wrong_shape(document, problem):
    """Each part of a document that is not what it must be is named."""
    assert problem in problems(document)


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("{", "is not JSON"),
        ('{"workflow": "w", "workflow": "v"}', "the key 'workflow' twice"),
        ("[1, 2]", "it is no object but list"),
        ("", "it is no object but NoneType"),
        ("a: [", "it is no YAML that JSON can hold"),
        ("a: 2020-01-01", "it is no YAML that JSON can hold"),
        ("a: &x [1]\nb: *x", "it has a YAML alias"),
        ("a: &x [*x]", "it has a YAML alias"),
        ("!!python/object/apply:os.system ['true']", "it is no YAML that JSON can hold"),
        ("a: .nan", "NaN"),
        ("[" * 600 + "]" * 600, "it is no YAML"),
    ],
)
def test_text_that_is_no_graph(text, part):
    """Text that cannot be read is refused with the reason; nothing in it is run or expanded."""
    pytest.importorskip("yaml")
    with pytest.raises(GraphError) as caught:
        parse_graph(text)
    assert part in caught.value.problems[0]
