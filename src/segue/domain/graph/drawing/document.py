"""A graph as JSON for other programs: what the pictures show, nothing in words that is known as a value."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from segue.domain.graph.drawing.picture import DrawnNode, Edge, EdgeState, picture_of
from segue.domain.graph.graph import Graph
from segue.domain.settings.node_settings import settings_document


def draw_json(
    graph: Graph, schemas: Mapping[str, str], states: Mapping[tuple[str, str], EdgeState] | None = None
) -> str:
    """
    The graph as one JSON object: `workflow`, `version`, `inputs`, `nodes` (with `settings`), `edges`, `output`.

    `schemas` and `states` are those of `picture_of`. The same graph in the same state gives the same text.
    """
    picture = picture_of(graph, schemas, states)
    document = {
        "workflow": picture.workflow,
        "version": picture.version,
        "inputs": [{"name": name, "type": text} for name, text in picture.inputs],
        "nodes": [_node(graph, node) for node in picture.nodes],
        "edges": [_edge(edge) for node in picture.nodes for edge in node.edges],
        "output": picture.output,
    }
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def _node(graph: Graph, drawn: DrawnNode) -> dict[str, Any]:
    node = graph.node(drawn.name)
    return {
        "name": drawn.name,
        "agent": drawn.agent,
        "version": drawn.version,
        "layer": drawn.layer,
        "map": None
        if node.map_parameter is None
        else {"parameter": node.map_parameter, "limit": node.map_limit},
        "condition": None if node.condition is None else node.condition.function,
        "settings": settings_document(node.settings),
        "fallbacks": [
            {"agent": each.agent, "version": each.agent_version, "settings": settings_document(each.settings)}
            for each in node.fallbacks
        ],
    }


def _edge(edge: Edge) -> dict[str, Any]:
    document: dict[str, Any] = {
        "from": edge.source,
        "input": edge.input,
        "to": edge.target,
        "kind": edge.kind,
        "parameter": edge.parameter,
        "reference": edge.reference,
        "crossing": edge.crossing if edge.kind == "data" else None,
        "type": edge.crosses or None,
        "without": edge.policy,
    }
    if edge.state is not None:
        document |= {
            "state": edge.state.state,
            "seconds": edge.state.seconds,
            "bytes": edge.state.size_bytes,
        }
    return document
