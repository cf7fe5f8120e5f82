"""The pictures are well-formed, escaped and complete."""

import xml.etree.ElementTree as ET

import pytest

from segue.app.working import Span
from segue.demo.pictures import Edge, Node, graph_picture, layers_of, timeline_picture

HOSTILE = '<script>"&'


def span(task: str, started: float, completed: float, epoch: int = 1) -> Span:
    """One stretch of work."""
    return Span(task, task, epoch, started, completed)


def test_layers() -> None:
    """A node stands behind the farthest of its parents; a cycle is refused by name."""
    edges = [Edge("a", "b", "T"), Edge("b", "c", "T"), Edge("a", "c", "later")]
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
    """Every span is a bar inside the picture, second claims are marked, parallel work is in lanes."""
    bands = {
        HOSTILE: [span(HOSTILE + "[0]", 0, 4), span(HOSTILE + "[1]", 1, 5)],
        "rank": [span("rank", 5, 6, epoch=2)],
    }
    root = ET.fromstring(timeline_picture(bands, 0, 6))
    bars = list(root.iter("rect"))
    assert len(bars) == 3
    assert bars[0].get("y") != bars[1].get("y")
    assert bars[2].get("class") == "bar again"
    width = float(root.get("viewBox", "").split()[2])
    assert all(float(bar.get("x", 0)) + float(bar.get("width", 0)) <= width for bar in bars)


@pytest.mark.parametrize("wall", [0.0, 0.0004, 0.3, 59.0, 86_400.0])
def test_any_wall_time_has_an_axis(wall: float) -> None:
    """From nothing to a day the axis has at most eleven lines and is well-formed."""
    root = ET.fromstring(timeline_picture({"a": [span("a", 0, wall)]}, 0, wall))
    assert 1 <= len(list(root.iter("line"))) <= 11
