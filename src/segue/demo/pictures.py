"""
Pictures of a run as inline SVG: the graph of its agents and the timeline of their work.

They are drawn from what the store says of a run (`segue.app.views`), and take their colours from the page
(`report.css`), so that one picture serves light and dark. Everything that comes from outside is escaped.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from segue.app.views import RunView, TaskView
from segue.app.working import Span
from segue.demo.svg import element, picture, text, title
from segue.demo.words import counted
from segue.domain.measures import seconds_in_words

_NODE_WIDTH, _NODE_HEIGHT = 152, 46
_LAYER_GAP, _ROW_GAP = 74, 18
_MARGIN = 90
_LABEL_WIDTH, _LANE_HEIGHT, _CHART_WIDTH = 150, 9, 860
_MOST_LANES = 8
_LEAST_BAR_WIDTH = 1.5
_STEPS = tuple(
    power * factor
    for power in (0.001, 0.01, 0.1, 1.0, 10.0, 100.0, 1_000.0, 10_000.0)
    for factor in (1, 2, 5)
)
"""Distances of the lines of a timeline, in seconds."""


_STATES = (
    "failed", "needs_review", "cancelled", "claimed", "ready", "paused", "waiting", "complete", "expanded", "skipped",
)  # fmt: skip


class Node(NamedTuple):
    """One call in the graph, with how many tasks came of it and how they stand."""

    name: str
    tasks: int
    state: str


class Edge(NamedTuple):
    """A hand-off from node to node; `crosses` is what the receiver asked for, such as `later`."""

    source: str
    target: str
    crosses: str


class Place(NamedTuple):
    """Where a node stands: the middle of its box."""

    x: float
    y: float


class Pictures(NamedTuple):
    """Both pictures of a run."""

    graph: str
    timeline: str


def pictures_of(run: RunView) -> Pictures:
    """Draw a run as it stands; one that has not ended is drawn up to its last span."""
    by_node: dict[str, list[TaskView]] = defaultdict(list)
    node_of: dict[str, str] = {}
    for task in run.tasks:
        by_node[task.node].append(task)
        node_of[task.task] = task.node
    nodes = [_summed_up(name, tasks) for name, tasks in by_node.items()]
    edges = [Edge(edge.source, edge.target, edge.crossing or "order") for edge in run.edges]
    seconds: dict[str, float] = defaultdict(float)
    bands: dict[str, list[Span]] = {node.name: [] for node in nodes}
    for span in run.spans:
        seconds[node_of[span.task]] += span.completed_at - span.started_at
        bands[node_of[span.task]].append(span)
    ended = run.ended_at or max((span.completed_at for span in run.spans), default=run.submitted_at)
    return Pictures(graph_picture(nodes, edges, seconds), timeline_picture(bands, run.submitted_at, ended))


def layers_of(names: Iterable[str], edges: Iterable[Edge]) -> dict[str, int]:
    """The layer of each node: the length of the longest path to it. Raises `ValueError` for a cycle."""
    parents: dict[str, set[str]] = {name: set() for name in names}
    for edge in edges:
        parents[edge.target].add(edge.source)
    layers: dict[str, int] = {}
    while len(layers) < len(parents):
        ready = [name for name in parents if name not in layers and parents[name] <= layers.keys()]
        if not ready:
            raise ValueError(f"a cycle among {', '.join(sorted(parents.keys() - layers.keys()))}")
        for name in ready:
            layers[name] = 1 + max((layers[parent] for parent in parents[name]), default=-1)
    return layers


def graph_picture(nodes: Sequence[Node], edges: Sequence[Edge], seconds: Mapping[str, float]) -> str:
    """The graph from left to right; `seconds` is what each agent worked, all its tasks together."""
    layers = layers_of((node.name for node in nodes), edges)
    places, width, height = _places(layers, edges)
    arrow = element(
        "marker",
        element("path", class_="tip", d="M0 0L8 4L0 8z"),
        id="tip",
        viewBox="0 0 8 8",
        refX=7,
        refY=4,
        markerWidth=6,
        markerHeight=6,
        orient="auto",
    )
    return picture(
        width,
        height,
        f"The graph of the run: {counted(len(nodes), 'agent')}",
        element("defs", arrow),
        *(_edge(edge, places) for edge in edges),
        *(_node(node, places[node.name], seconds.get(node.name)) for node in nodes),
    )


def timeline_picture(bands: Mapping[str, Sequence[Span]], started: float, completed: float) -> str:
    """A band for each node that has spans, in the given order, and a bar for each span, in lanes."""
    wall = max(completed - started, 1e-9)
    scale = _CHART_WIDTH / wall
    drawn, top = [], 26.0
    for name, spans in bands.items():
        if spans:
            ordered = sorted(spans, key=lambda span: (span.started_at, span.task, span.epoch))
            lanes = _lanes(ordered)
            drawn.append(_band(name, ordered, lanes, top, started, scale))
            top += min(max(lanes) + 1, _MOST_LANES) * _LANE_HEIGHT + 13
    label = f"The timeline of the run: {counted(sum(map(len, bands.values())), 'span')} of work"
    return picture(_LABEL_WIDTH + _CHART_WIDTH + 24, top + 6, label, *_axis(wall, scale, top + 6), *drawn)


def _summed_up(name: str, tasks: Sequence[TaskView]) -> Node:
    """A mapped call stands for its items; the state that asks most for attention is that of all."""
    items = [task for task in tasks if task.item is not None] or list(tasks)
    states = {task.state for task in items}
    return Node(name, len(items), next(state for state in _STATES if state in states))


def _places(layers: Mapping[str, int], edges: Sequence[Edge]) -> tuple[dict[str, Place], float, float]:
    """Nodes of a layer stand in the order of their parents' places, so that few edges cross."""
    rows: dict[int, list[str]] = defaultdict(list)
    for name, layer in layers.items():
        rows[layer].append(name)
    tallest = max(len(names) for names in rows.values())
    height = tallest * (_NODE_HEIGHT + _ROW_GAP) + _ROW_GAP + _MARGIN
    places: dict[str, Place] = {}
    for layer in sorted(rows):
        names = rows[layer]
        parents = {name: [places[edge.source].y for edge in edges if edge.target == name] for name in names}
        names.sort(key=lambda name: sum(parents[name]) / len(parents[name]) if parents[name] else 0.0)
        top = (height - len(names) * (_NODE_HEIGHT + _ROW_GAP)) / 2
        for row, name in enumerate(names):
            x = 8 + _NODE_WIDTH / 2 + layer * (_NODE_WIDTH + _LAYER_GAP)
            places[name] = Place(x, top + (row + 0.5) * (_NODE_HEIGHT + _ROW_GAP))
    width = 16 + len(rows) * _NODE_WIDTH + (len(rows) - 1) * _LAYER_GAP
    return places, width, height


def _edge(edge: Edge, places: Mapping[str, Place]) -> str:
    begin, end = places[edge.source], places[edge.target]
    left, right = begin.x + _NODE_WIDTH / 2, end.x - _NODE_WIDTH / 2 - 2
    bend = max((right - left) / 2, 24)
    skipped = max(right - left - _LAYER_GAP, 0) // _NODE_WIDTH
    bow = min(skipped * _NODE_HEIGHT, _MARGIN) * (-1 if begin.y <= end.y else 1)  # around what is between
    path = (
        f"M{left:.1f} {begin.y:.1f}"
        f"C{left + bend:.1f} {begin.y + bow:.1f} {right - bend:.1f} {end.y + bow:.1f} {right:.1f} {end.y:.1f}"
    )
    return element(
        "path",
        title(f"{edge.source} hands over to {edge.target}: {edge.crosses}"),
        class_="edge later" if edge.crosses == "later" else "edge",
        marker_end="url(#tip)",
        d=path,
    )


def _node(node: Node, place: Place, seconds: float | None) -> str:
    box = element(
        "rect",
        class_=f"node {node.state}",
        x=place.x - _NODE_WIDTH / 2,
        y=place.y - _NODE_HEIGHT / 2,
        width=_NODE_WIDTH,
        height=_NODE_HEIGHT,
        rx=10,
    )
    count = [element("tspan", f" × {node.tasks}", class_="count")] if node.tasks != 1 else []
    below = seconds_in_words(seconds) if seconds is not None else node.state
    return element(
        "g",
        box,
        text(node.name, place.x, place.y - 3, "name", *count),
        text(below, place.x, place.y + 14, "small"),
    )


def _lanes(spans: Sequence[Span]) -> list[int]:
    """The first lane that is free when a span starts, for spans sorted by their start."""
    ends: list[float] = []
    lanes = []
    for span in spans:
        lane = next((lane for lane, end in enumerate(ends) if end <= span.started_at), len(ends))
        ends[lane : lane + 1] = [span.completed_at]
        lanes.append(lane)
    return lanes


def _band(
    name: str, spans: Sequence[Span], lanes: Sequence[int], top: float, started: float, scale: float
) -> str:
    middle = top + min(max(lanes) + 1, _MOST_LANES) * _LANE_HEIGHT / 2 + 3
    parts = [text(name, _LABEL_WIDTH - 12, middle, "label")]
    for span, lane in zip(spans, lanes, strict=True):
        begin = max(span.started_at, started)
        again = f", claimed for the {span.epoch}. time" if span.epoch > 1 else ""
        bar = element(
            "rect",
            title(f"{span.task}{again}: {seconds_in_words(span.completed_at - span.started_at)}"),
            class_="bar again" if span.epoch > 1 else "bar",
            x=_LABEL_WIDTH + (begin - started) * scale,
            y=top + min(lane, _MOST_LANES - 1) * _LANE_HEIGHT,
            width=max((span.completed_at - begin) * scale, _LEAST_BAR_WIDTH),
            height=_LANE_HEIGHT - 2,
            rx=2,
        )
        parts.append(bar)
    return "".join(parts)


def _axis(wall: float, scale: float, height: float) -> Iterator[str]:
    """A line for each round step of time, at most ten of them."""
    step = next(step for step in _STEPS if wall / step <= 10 or step == _STEPS[-1])
    for number in range(int(wall / step) + 1):
        x = _LABEL_WIDTH + number * step * scale
        words = f"{number * step * 1_000:g} ms" if wall < 1 else f"{number * step:g} s"
        yield element("line", class_="grid", x1=x, x2=x, y1=20, y2=height)
        yield text(words, x, 12, "tick")
