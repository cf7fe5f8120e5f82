"""How deep values of a type can be nested, told from its JSON Schema."""

from __future__ import annotations

from typing import Any

from segue.domain.envelope.limits import DEPTH_LIMIT


def depth_bound(document: Any) -> int | None:
    """The deepest nesting of values that fit a JSON Schema; None if it sets no bound."""
    definitions = document.get("$defs", {}) if isinstance(document, dict) else {}
    return _depth_bound(document, definitions, ())


def _depth_bound(node: Any, definitions: dict[str, Any], above: tuple[str, ...]) -> int | None:
    if not isinstance(node, dict):
        return 0 if node is False else None
    if "$ref" in node:
        name = node["$ref"].rpartition("/")[2]
        if name in above or name not in definitions:
            return None
        return _depth_bound(definitions[name], definitions, (*above, name))
    if "const" in node or "enum" in node:
        return 0
    alternatives = [part for key in ("anyOf", "oneOf", "allOf") for part in node.get(key, ())]
    kind = node.get("type")
    if kind == "array":
        inner = [node["items"]] if "items" in node else []
        inner += node.get("prefixItems", ())
    elif kind == "object":
        inner = list(node.get("properties", {}).values()) + list(node.get("patternProperties", {}).values())
        if "additionalProperties" in node or not inner:
            inner.append(node.get("additionalProperties", "properties" not in node))
    elif alternatives:
        return _deepest(alternatives, definitions, above)
    else:
        return 0 if isinstance(kind, str) else None
    if kind == "array" and not inner and node.get("maxItems") != 0:
        return None
    below = _deepest(inner, definitions, above)
    return None if below is None or below >= DEPTH_LIMIT else below + 1


def _deepest(nodes: list[Any], definitions: dict[str, Any], above: tuple[str, ...]) -> int | None:
    deepest = 0
    for node in nodes:
        bound = _depth_bound(node, definitions, above)
        if bound is None:
            return None
        deepest = max(deepest, bound)
    return deepest
