"""A graph as text for a terminal: layer by layer, what goes into each node in columns."""

from __future__ import annotations

from collections.abc import Mapping

from segue.domain.graph.drawing.picture import DrawnNode, Edge, EdgeState, picture_of
from segue.domain.graph.drawing.wording import one_line, policy_text, state_text
from segue.domain.graph.graph import Graph


def draw_text(
    graph: Graph, schemas: Mapping[str, str], states: Mapping[tuple[str, str], EdgeState] | None = None
) -> str:
    """
    The graph as text. Nodes with the same number can run side by side.

    `schemas` and `states` are those of `picture_of`.
    """
    picture = picture_of(graph, schemas, states)
    version = "" if picture.version == "1" else f", version {one_line(picture.version)}"
    lines = [f"{one_line(picture.workflow)}{version}"]
    lines += [f"  takes    {one_line(name)}: {one_line(text)}" for name, text in picture.inputs]
    if picture.output is not None:
        lines.append(f"  returns  {one_line(picture.output)}")
    number_width = len(str(picture.nodes[-1].layer + 1)) if picture.nodes else 1
    widths = _widths([edge for node in picture.nodes for edge in node.edges])
    name_width = max((len(node.name) for node in picture.nodes), default=0)
    layer = -1
    for node in picture.nodes:
        number = str(node.layer + 1) if node.layer != layer else ""
        if node.layer != layer:
            lines.append("")
        layer = node.layer
        lines.append(f"{number:>{number_width}}  {_head(node, name_width)}")
        indent = " " * (number_width + 4)
        lines += [indent + _edge_line(edge, widths) for edge in node.edges]
    return "\n".join(line.rstrip() for line in lines) + "\n"


def _head(node: DrawnNode, width: int) -> str:
    notes = ", ".join(map(one_line, node.notes))
    return f"{node.name:<{width}}  {notes}" if notes else node.name


def _columns(edge: Edge) -> tuple[str, str, str, str]:
    return (
        edge.parameter,
        one_line(edge.reference),
        one_line(edge.crosses),
        policy_text(edge),
    )


def _widths(edges: list[Edge]) -> list[int]:
    columns = [_columns(edge) for edge in edges]
    return [max((len(row[index]) for row in columns), default=0) for index in range(4)]


def _edge_line(edge: Edge, widths: list[int]) -> str:
    parameter, reference, crosses, policy = (
        f"{text:<{width}}" for text, width in zip(_columns(edge), widths, strict=True)
    )
    return "  ".join([f"{parameter} ← {reference}", crosses, policy, state_text(edge.state)])
