"""A graph in DOT, the language of Graphviz."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from segue.domain.graph.drawing.picture import Edge, EdgeState, picture_of
from segue.domain.graph.drawing.wording import edge_label, one_line
from segue.domain.graph.graph import Graph

_COLOURS = {
    "consumed": "darkgreen",
    "claimed": "blue",
    "ready": "purple",
    "waiting": "gray50",
    "skipped": "gray75",
    "failed": "red",
}


def draw_dot(
    graph: Graph, schemas: Mapping[str, str], states: Mapping[tuple[str, str], EdgeState] | None = None
) -> str:
    """The graph for `dot -Tsvg`. `schemas` and `states` are those of `picture_of`."""
    picture = picture_of(graph, schemas, states)
    lines = [
        f"digraph {_quoted([picture.workflow])} {{",
        '    rankdir="TB"; node [shape="box", style="rounded", fontname="sans-serif"];',
        '    edge [fontname="sans-serif", fontsize="10"];',
    ]
    lines += [
        f'    {_quoted(["input " + name])} [label={_quoted([f"{name}: {text}"])}, shape="ellipse"];'
        for name, text in picture.inputs
    ]
    lines += [
        f"    {_quoted(['node ' + node.name])} [label={_quoted([node.name, *node.notes])}];"
        for node in picture.nodes
    ]
    edges = (edge for node in picture.nodes for edge in node.edges)
    lines += [
        _edge(edge, picture.origin_of(edge))
        for edge in edges
        if edge.source is not None or edge.input is not None
    ]
    if picture.returns:
        lines.append(f'    "result" [label={_quoted([f"returns {picture.output}"])}, shape="ellipse"];')
        ends = [picture.senders.get(name, name) for name in picture.returns]
        lines += [f'    {_quoted(["node " + name])} -> "result";' for name in ends]
    return "\n".join([*lines, "}"]) + "\n"


def _edge(edge: Edge, origin: str | None) -> str:
    style = "dashed" if edge.crossing == "later" else "dotted" if edge.kind != "data" else "solid"
    attributes = f'label={_quoted(edge_label(edge))}, style="{style}"'
    if edge.state is not None:
        attributes += f', color="{_COLOURS[edge.state.state]}"'
    begin = f"node {origin}" if origin is not None else f"input {edge.input}"
    return f"    {_quoted([begin])} -> {_quoted(['node ' + edge.target])} [{attributes}];"


def _quoted(lines: Iterable[str]) -> str:
    return '"' + "\\n".join(one_line(line).replace("\\", "\\\\").replace('"', '\\"') for line in lines) + '"'
