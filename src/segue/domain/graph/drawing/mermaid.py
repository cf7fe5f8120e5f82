"""A graph as a Mermaid flowchart, for Markdown and web pages."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from segue.domain.graph.drawing.picture import Edge, EdgeState, picture_of
from segue.domain.graph.drawing.wording import edge_label, one_line
from segue.domain.graph.graph import Graph

_COLOURS = {
    "consumed": "#2e7d32",
    "claimed": "#1565c0",
    "ready": "#6a1b9a",
    "waiting": "#9e9e9e",
    "skipped": "#bdbdbd",
    "failed": "#c62828",
}


def draw_mermaid(
    graph: Graph, schemas: Mapping[str, str], states: Mapping[tuple[str, str], EdgeState] | None = None
) -> str:
    """The graph in Mermaid's language. `schemas` and `states` are those of `picture_of`."""
    picture = picture_of(graph, schemas, states)
    ids = {node.name: f"n{index}" for index, node in enumerate(picture.nodes)}
    inputs = {name: f"i{index}" for index, (name, _) in enumerate(picture.inputs)}
    lines = ["flowchart TD"]
    lines += [f"    {inputs[name]}([{_label([f'{name}: {text}'])}])" for name, text in picture.inputs]
    lines += [f"    {ids[node.name]}[{_label([node.name, *node.notes])}]" for node in picture.nodes]
    styles = []
    number = 0
    for edge in (edge for node in picture.nodes for edge in node.edges):
        origin = picture.origin_of(edge)
        if origin is None and edge.input is None:
            continue
        source = ids[origin] if origin is not None else inputs[edge.input or ""]
        lines.append(f"    {source} {_arrow(edge)}|{_label(edge_label(edge))}| {ids[edge.target]}")
        if edge.state is not None:
            styles.append(f"    linkStyle {number} stroke:{_COLOURS[edge.state.state]}")
        number += 1
    if picture.returns:
        lines.append(f"    result([{_label([f'returns {picture.output}'])}])")
        lines += [f"    {ids[picture.senders.get(name, name)]} --> result" for name in picture.returns]
    return "\n".join(lines + styles) + "\n"


def _arrow(edge: Edge) -> str:
    return "-.->" if edge.crossing == "later" or edge.kind != "data" else "-->"


def _label(lines: Iterable[str]) -> str:
    return '"' + "<br/>".join(_escaped(one_line(line)) for line in lines) + '"'


def _escaped(text: str) -> str:
    """Mermaid reads entities by number; nothing else in quotes is special then."""
    return "".join(
        character if character.isalnum() or character in " _.,:=-()/" else f"#{ord(character)};"
        for character in text
    )
