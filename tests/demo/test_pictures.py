"""The summary adds up, and the pictures are well-formed, escaped and complete."""

import xml.etree.ElementTree as ET

import pytest

from segue.demo.pictures import Edge, Node, graph_picture, layers_of, timeline_picture
from segue.demo.summary import Span, summarise, summary_line

HOSTILE = '<script>"&'


def span(agent: str, started: float, completed: float, item: int = -1, attempt: int = 1) -> Span:
    """One attempt."""
    return Span(agent, item, attempt, started, completed)


def test_working_is_a_union() -> None:
    """Two agents side by side count once as working time and twice as agents' time; gaps are coordination."""
    spans = [span("a", 11, 13), span("b", 12, 14), span("c", 17, 18)]
    summary = summarise(10, 20, spans, [100, 50])
    assert summary.wall_seconds == 10
    assert summary.working_seconds == 4
    assert summary.coordinating_seconds == 6
    assert summary.agent_seconds == 5
    assert (summary.handoffs, summary.handoff_bytes) == (2, 150)


def test_spans_are_cut_to_the_run() -> None:
    """What an earlier process worked before this one started is not this run's time."""
    summary = summarise(10, 20, [span("a", 0, 12), span("b", 19, 30), span("c", 1, 2)], [])
    assert (summary.working_seconds, summary.coordinating_seconds) == (3, 7)


def test_a_run_cannot_end_before_it_starts() -> None:
    """Times in the wrong order are a mistake of the caller."""
    with pytest.raises(ValueError, match="cannot end"):
        summarise(2, 1, [], [])


def test_the_last_line() -> None:
    """The line says everything in units that fit."""
    line = summary_line(summarise(0, 2, [span("a", 0, 1.95)], [1_200] * 3))
    assert line == "2.00 s wall: 1.95 s working, 50.0 ms coordinating (2.5%); 3 hand-offs, 3.6 KB"


def test_layers() -> None:
    """A node stands behind the farthest of its parents; a cycle is refused by name."""
    edges = [Edge("a", "b", "T"), Edge("b", "c", "T"), Edge("a", "c", "Later")]
    assert layers_of("abc", edges) == {"a": 0, "b": 1, "c": 2}
    with pytest.raises(ValueError, match="b, c"):
        layers_of("abc", [*edges, Edge("c", "b", "T")])


def test_the_graph_is_complete_and_escaped() -> None:
    """Every node and edge is there, and a hostile name stays a name."""
    nodes = [Node("list", 1, "complete"), Node(HOSTILE, 24, HOSTILE)]
    svg = graph_picture(nodes, [Edge("list", HOSTILE, HOSTILE)], {"list": 0.5})
    root = ET.fromstring(svg)
    assert [len(list(root.iter(tag))) for tag in ("rect", "script")] == [2, 0]
    assert len([path for path in root.iter("path") if path.get("class") == "edge"]) == 1
    assert "500.0 ms" in "".join(root.itertext())


def test_the_timeline_is_complete_and_escaped() -> None:
    """Every attempt is a bar inside the picture, second attempts are marked, parallel work is in lanes."""
    spans = [span(HOSTILE, 0, 4, item=0), span(HOSTILE, 1, 5, item=1), span("rank", 5, 6, attempt=2)]
    root = ET.fromstring(timeline_picture([HOSTILE, "rank"], spans, 0, 6))
    bars = list(root.iter("rect"))
    assert len(bars) == 3
    assert bars[0].get("y") != bars[1].get("y")
    assert bars[2].get("class") == "bar again"
    width = float(root.get("viewBox", "").split()[2])
    assert all(float(bar.get("x", 0)) + float(bar.get("width", 0)) <= width for bar in bars)


@pytest.mark.parametrize("wall", [0.0, 0.0004, 0.3, 59.0, 86_400.0])
def test_any_wall_time_has_an_axis(wall: float) -> None:
    """From nothing to a day the axis has at most eleven lines and is well-formed."""
    root = ET.fromstring(timeline_picture(["a"], [span("a", 0, wall)], 0, wall))
    assert 1 <= len(list(root.iter("line"))) <= 11
