"""Pictures of graphs: what crosses, budgets and failure policy on every edge, and how a run stands."""

import json
import re
from typing import Any

import pytest

from segue.domain.envelope.handoff import Handoff, Later
from segue.domain.envelope.schema import schema_of
from segue.domain.graph.agent import agent
from segue.domain.graph.drawing.document import draw_json
from segue.domain.graph.drawing.dot import draw_dot
from segue.domain.graph.drawing.mermaid import draw_mermaid
from segue.domain.graph.drawing.naming import schema_name
from segue.domain.graph.drawing.picture import EdgeState, layers_of
from segue.domain.graph.drawing.states import edge_states
from segue.domain.graph.drawing.text import draw_text
from segue.domain.graph.graph import Graph, GraphInput, Node, graph_from_json, graph_to_json
from segue.domain.graph.workflow import condition, workflow
from segue.domain.records import SINGLE, HandoffRecord
from segue.domain.rows import StoredHandoff, TaskRecord
from tests.unit.graph.helpers import Findings, Prices, Risks, measure, price, research

DRAWERS = (draw_text, draw_mermaid, draw_dot, draw_json)


@condition
def is_risky(found: Findings) -> bool:
    return found.risky


@agent(timeout="2m", retries=2, takes="30s", decisions="required")
def risks(found: Handoff[Findings]) -> Risks: ...


@agent(version="4", speculative=True, retries=1, backoff=None)
def write(prices: Later[Prices], risks: Risks | None, counts: list[int], title: str = "") -> str: ...


@workflow(version="2")
def compare(goal: str, depth: int = 2) -> str:
    found = research(goal)
    counts = measure.map(found.competitors, depth=depth, limit=9)
    worst = risks.when(is_risky(found))(found)
    return write(price(found, after=[counts]), worst, counts, title="All of them")


BUILT = compare.build()


def test_text():
    """The text shows layers, what goes into each node with its type, budgets, and what happens without it."""
    drawn = draw_text(BUILT.graph, BUILT.schemas)
    assert drawn == (
        "compare, version 2\n"
        "  takes    goal: str\n"
        "  takes    depth: int = 2\n"
        "  returns  write\n"
        "\n"
        "1  research\n"
        "     goal   ← goal                  str\n"
        "\n"
        "2  measure   for each of research.competitors, at most 9\n"
        "     name   ← research.competitors  str                skips without it\n"
        "     depth  ← depth                 int\n"
        "   risks     when is_risky(research), timeout 2m, takes 30s, 2 retries from 1s, decisions required\n"
        "     found  ← research              Handoff[Findings]  skips without it\n"
        "     when   ← research                                 skips without it\n"
        "\n"
        "3  price\n"
        "     found  ← research              Findings           skips without it\n"
        "     after  ← measure                                  skips without it\n"
        "\n"
        "4  write     version 4, 1 retry, speculative\n"
        "     prices ← price                 Later[Prices]      without it fails where it waits\n"
        "     risks  ← risks                 Risks | None       goes on without it\n"
        "     counts ← measure               list[int]          skips without it\n"
        '     title  ← "All of them"         str\n'
    )


@pytest.mark.parametrize("draw", DRAWERS)
def test_a_stored_graph_is_drawn_alike(draw):
    """A graph read back from the store, with the stored schemas, gives the same picture as the one just built."""
    stored = graph_from_json(graph_to_json(BUILT.graph))
    assert draw(stored, dict(BUILT.schemas)) == draw(BUILT.graph, BUILT.schemas)


STATES = {
    ("research", "measure"): EdgeState("consumed", 0.002, 1234),
    ("research", "risks"): EdgeState("skipped"),
    ("research", "price"): EdgeState("claimed", 0.1, 812),
    ("measure", "price"): EdgeState("waiting"),
    ("price", "write"): EdgeState("ready", None, 3_400_000),
    ("risks", "write"): EdgeState("failed"),
}


def test_states_in_text():
    """For a run each edge says how it stands, with its time and bytes."""
    lines = draw_text(BUILT.graph, BUILT.schemas, STATES).splitlines()
    ends = {re.split(r"\s{2,}", line.strip())[-1] for line in lines}
    assert {
        "consumed in 2.0 ms, 1.2 KB",
        "skipped",
        "claimed in 100.0 ms, 812 B",
        "waiting",
        "ready, 3.4 MB",
        "failed",
    } <= ends


def test_mermaid():
    """The flowchart has every node and every edge with its label; edges that wait or order are dotted."""
    lines = draw_mermaid(BUILT.graph, BUILT.schemas, STATES).splitlines()
    assert lines[0] == "flowchart TD"
    assert '    i0(["goal: str"])' in lines
    assert '    i0 -->|"goal: str<br/>goal"| n0' in lines
    assert (
        '    n0 -->|"name: str<br/>research.competitors<br/>skips without it<br/>consumed in 2.0 ms, 1.2 KB"| n1'
        in lines
    )
    assert '    n0 -.->|"when research<br/>skips without it<br/>skipped"| n2' in lines
    assert '    n1 -.->|"after<br/>skips without it<br/>waiting"| n3' in lines
    edges = [line for line in lines if "|" in line]
    styles = [line for line in lines if "linkStyle" in line]
    assert len(edges) == 10
    assert len(styles) == sum("skips" in edge or "goes on" in edge or "fails" in edge for edge in edges) - 1
    number = int(styles[0].split()[1])
    assert "consumed" in edges[number]
    assert lines.index("    n4 --> result") < lines.index(styles[0])


def test_dot():
    """The DOT graph has every node and edge, each in quotes, with its label, style and colour."""
    drawn = draw_dot(BUILT.graph, BUILT.schemas, STATES)
    assert drawn.startswith('digraph "compare" {\n')
    assert drawn.endswith("}\n")
    assert (
        '    "node research" -> "node measure" [label="name: str\\nresearch.competitors\\nskips without it\\n'
        'consumed in 2.0 ms, 1.2 KB", style="solid", color="darkgreen"];' in drawn
    )
    assert '"node price" -> "node write" [label="prices: Later[Prices]' in drawn
    assert drawn.count(" -> ") == 11


def test_json():
    """The JSON has the same edges as values: nothing that is known is only in words."""
    document = json.loads(draw_json(BUILT.graph, BUILT.schemas, STATES))
    assert [node["name"] for node in document["nodes"]] == ["research", "measure", "risks", "price", "write"]
    assert document["nodes"][1]["map"] == {"parameter": "name", "limit": 9}
    assert document["nodes"][2]["condition"] == "is_risky"
    assert document["nodes"][2]["settings"]["timeout_seconds"] == 120.0
    edges = {(edge["from"], edge["to"], edge["parameter"]): edge for edge in document["edges"]}
    assert edges["price", "write", "prices"] == {
        "from": "price",
        "input": None,
        "to": "write",
        "kind": "data",
        "parameter": "prices",
        "reference": "price",
        "crossing": "later",
        "type": "Later[Prices]",
        "without": "fails where it waits",
        "state": "ready",
        "seconds": None,
        "bytes": 3_400_000,
    }
    assert edges["measure", "price", "after"]["kind"] == "after"
    assert edges[None, "measure", "depth"]["input"] == "depth"
    assert "state" not in edges["measure", "write", "counts"]


HOSTILE = 'a"]b\\<c>|#;{d}`e\n\x1b[31m\u202e]'


def hostile_graph() -> Graph:
    """A graph whose workflow, inputs and defaults hold whatever breaks a language or a terminal."""
    node = Node("n", "n", HOSTILE, (), "")
    return Graph(HOSTILE, HOSTILE, (GraphInput(HOSTILE, "", required=False, default=HOSTILE),), (node,), None)


@pytest.mark.parametrize("draw", [draw_text, draw_mermaid, draw_dot])
def test_nothing_breaks_out_of_a_label(draw):
    """Names and constants cannot end a label, begin a line, or command the terminal."""
    drawn = draw(hostile_graph(), {})
    assert "\x1b" not in drawn
    assert "\u202e" not in drawn
    plain = draw(
        Graph(
            "w",
            "2",
            (GraphInput("i", "", required=False, default="d"),),
            (Node("n", "n", "2", (), ""),),
            None,
        ),
        {},
    )
    assert drawn.count("\n") == plain.count("\n")
    if draw is draw_mermaid:
        assert all(line.count('"') in (0, 2) for line in drawn.splitlines())
    if draw is draw_dot:
        assert all(len(re.findall(r'(?<!\\)(?:\\\\)*"', line)) % 2 == 0 for line in drawn.splitlines())


def test_layers_follow_every_kind_of_edge():
    """A node is below all that it waits for: by data, by a `Later`, by a condition and by order."""
    assert layers_of(BUILT.graph) == {"research": 0, "measure": 1, "risks": 1, "price": 2, "write": 3}


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        (Findings, "Findings"),
        (int, "int"),
        (Any, "Any"),
        (None, "None"),
        (list[Findings], "list[Findings]"),
        (dict[str, list[int]], "dict[str, list[int]]"),
        (dict, "dict"),
        (list, "list"),
        (tuple[int, str], "tuple[int, str]"),
        (set[str], "set[str]"),
        (Findings | None, "Findings | None"),
        (bytes, "bytes"),
    ],
)
def test_types_are_named_by_their_schema(kind, name):
    """A stored graph has no Python types; their JSON Schemas give the names that people know."""
    assert schema_name(json.loads(schema_of(kind).text)) == name


def task(
    node: str, state: Any, item: int = SINGLE, claimed: float | None = None, settled: float | None = None
) -> TaskRecord:
    return TaskRecord(
        "r", node, item, node, state, 1, 1, 1, None, None, (), None, claimed, settled, None
    )  # fmt: skip


def handoff(node: str, body: bytes, item: int = SINGLE) -> StoredHandoff:
    record = HandoffRecord(1, "complete", body, 1, "", "", 0.0, 0.0, ())
    return StoredHandoff("r", node, item, 1, record)


def test_edge_states_of_a_run():
    """States, time and bytes of edges follow from the tasks and hand-offs of a run."""
    tasks = [
        task("research", "complete", claimed=1.0, settled=2.0),
        task("measure", "expanded", claimed=2.0, settled=2.25),
        task("measure", "complete", 0, claimed=2.5, settled=3.0),
        task("measure", "claimed", 1, claimed=2.75),
        task("risks", "skipped", settled=2.0),
        task("write", "waiting"),
    ]
    states = edge_states(BUILT.graph, tasks, [handoff("research", b"12345"), handoff("measure", b"12", 0)])
    assert states["research", "measure"] == EdgeState("claimed", 0.0, 5)
    assert states["research", "risks"] == EdgeState("skipped")
    assert states["research", "price"] == EdgeState("ready", None, 5)
    assert states["measure", "price"] == EdgeState("waiting")
    assert states["risks", "write"] == EdgeState("skipped")
    assert states["price", "write"] == EdgeState("waiting")


def test_edge_states_of_an_ended_run():
    """When all is done edges are consumed; what failed says so; a receiver that began earlier waited for nothing."""
    tasks = [
        task("research", "complete", claimed=1.0, settled=2.0),
        task("measure", "expanded", claimed=2.0, settled=2.0),
        task("measure", "complete", 0, claimed=2.5, settled=3.0),
        task("measure", "complete", 1, claimed=2.5, settled=4.0),
        task("risks", "failed", claimed=2.0, settled=3.0),
        task("price", "complete", claimed=4.5, settled=6.0),
        task("write", "complete", claimed=5.0, settled=7.0),
    ]
    sent = [handoff("measure", b"123", 0), handoff("measure", b"12", 1), handoff("price", b"1")]
    states = edge_states(BUILT.graph, tasks, sent)
    assert states["measure", "price"] == EdgeState("consumed", 0.5, 5)
    assert states["risks", "write"] == EdgeState("failed")
    assert states["price", "write"] == EdgeState("consumed", None, 1)
    assert edge_states(BUILT.graph, [], [])["research", "price"] == EdgeState("waiting")
