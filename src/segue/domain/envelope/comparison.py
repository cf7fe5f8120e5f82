"""
Whether what fits one JSON Schema fits another, told before any value exists.

"no" is said only where it is certain, and "yes" too; the rest is "unknown".
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Literal

from segue.domain.envelope.forms import payload_in

Fit = Literal["yes", "unknown", "no"]

_VERDICTS: dict[tuple[str, str], Fit] = {
    ("integer", "number"): "yes",
    ("number", "integer"): "unknown",  # 1.0 is an integer to JSON
    ("boolean", "integer"): "unknown",
    ("boolean", "number"): "unknown",
    ("integer", "boolean"): "unknown",
    ("number", "boolean"): "unknown",
}
Json = dict[str, Any]
_NO_LIMITS = frozenset({"type", "title", "description", "default", "examples"})
_LOWER = frozenset({"minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties"})
_UPPER = frozenset({"maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties"})


class Comparison:
    """Compares parts of two JSON Schema documents."""

    def __init__(self, source: Json, target: Json) -> None:
        self._source_definitions = source.get("$defs", {})
        self._target_definitions = target.get("$defs", {})
        self._open: set[tuple[str, str]] = set()

    def fit(self, source: Any, target: Any) -> Fit:
        """Whether what fits `source` fits `target`."""
        pair = (repr(source), repr(target))
        if pair in self._open:
            return "yes"  # recursive types: decided by what is outside the recursion
        self._open.add(pair)
        try:
            return self._fit(source, target)
        finally:
            self._open.discard(pair)

    def _fit(self, source: Any, target: Any) -> Fit:
        source = resolved(source, self._source_definitions)
        target = resolved(target, self._target_definitions)
        if _says_nothing(target):
            return "yes"
        if _says_nothing(source):
            return "unknown"
        sources, targets = _alternatives(source), _alternatives(target)
        if sources is not None:
            return _for_every([self.fit(each, target) for each in sources])
        if targets is not None:
            return _for_any([self.fit(source, each) for each in targets])
        if payload_in(source) is not None or payload_in(target) is not None:
            return _fit_payload(source, target)
        if "allOf" in source or "allOf" in target or "not" in source or "not" in target:
            return "unknown"
        values, allowed = _values(source), _values(target)
        if values is not None and allowed is not None:
            return _for_every(["yes" if each in allowed else "no" for each in values])
        if values is not None:
            return _for_every([self._fit_kind(_value_schema(each), target) for each in values])
        if allowed is not None:
            possible = [self._fit_kind(source, _value_schema(each)) for each in allowed]
            return "no" if _for_any(possible) == "no" else "unknown"
        return self._fit_kind(source, target)

    def _fit_kind(self, source: Json, target: Json) -> Fit:
        kinds = source.get("type"), target.get("type")
        if not isinstance(kinds[0], str) or not isinstance(kinds[1], str):
            return "unknown"
        if kinds[0] != kinds[1]:
            if "format" in target and kinds[0] in ("integer", "number"):
                return "unknown"  # times are read from numbers too
            return _VERDICTS.get((kinds[0], kinds[1]), "no")
        if kinds[0] == "object":
            return self._fit_object(source, target)
        if kinds[0] == "array":
            return self._fit_array(source, target)
        limits = {name: value for name, value in target.items() if name not in _NO_LIMITS}
        return "yes" if all(_within(source, name, value) for name, value in limits.items()) else "unknown"

    def _fit_object(self, source: Json, target: Json) -> Fit:
        given, wanted = source.get("properties", {}), target.get("properties", {})
        others = source.get("additionalProperties", "properties" not in source)
        always = set(source.get("required", ())) | {name for name, each in given.items() if "default" in each}
        value = others if isinstance(others, dict) else {}
        found: list[Fit] = []
        for name, schema in wanted.items():
            needed = name in target.get("required", ())
            if name in given:
                fit = self.fit(given[name], schema)
                certain = name in always or (fit == "yes" and not needed)
                found.append(fit if certain else "unknown")
            elif needed:
                found.append("no" if not others or self.fit(value, schema) == "no" else "unknown")
        rest = target.get("additionalProperties", True)
        for name in given.keys() - wanted.keys():
            fit = "no" if rest is False else "yes" if rest is True else self.fit(given[name], rest)
            found.append(fit if name in always or fit == "yes" else "unknown")
        if others:
            found.append("yes" if rest is True else "unknown" if rest is False else self.fit(value, rest))
        return for_all(found)

    def _fit_array(self, source: Json, target: Json) -> Fit:
        given, wanted = source.get("prefixItems"), target.get("prefixItems")
        least, most = target.get("minItems", 0), target.get("maxItems")
        if given is not None and "items" not in source:
            if len(given) < least or (most is not None and len(given) > most):
                return "no"
            inner = [
                wanted[index] if wanted and index < len(wanted) else target.get("items", {})
                for index in range(len(given))
            ]
            return for_all([self.fit(each, other) for each, other in zip(given, inner, strict=True)])
        elements = source.get("items", {})
        if wanted is not None:
            return "no" if "no" in [self.fit(elements, each) for each in wanted] else "unknown"
        fit = self.fit(elements, target.get("items", {}))
        limited = least or most is not None or (target.get("uniqueItems") and not source.get("uniqueItems"))
        return "unknown" if fit == "yes" and limited else fit


def resolved(schema: Any, definitions: Json) -> Json:
    """A part of a schema, or what it refers to."""
    seen = set()
    while (
        isinstance(schema, dict)
        and "$ref" in schema
        and schema["$ref"] not in seen
        and not payload_in(schema)
    ):
        seen.add(schema["$ref"])
        schema = definitions.get(schema["$ref"].rpartition("/")[2], {})
    return schema if isinstance(schema, dict) else {}


def _says_nothing(schema: Json) -> bool:
    return not schema.keys() - {*_NO_LIMITS - {"type"}, "$defs", "deprecated"}


def _alternatives(schema: Json) -> list[Any] | None:
    for word in ("anyOf", "oneOf"):
        if word in schema:
            return list(schema[word])
    if isinstance(schema.get("type"), list):
        return [{**schema, "type": kind} for kind in schema["type"]]
    return None


def _values(schema: Json) -> list[Any] | None:
    if "const" in schema:
        return [schema["const"]]
    return list(schema["enum"]) if "enum" in schema else None


def _value_schema(value: Any) -> Json:
    kinds = {
        bool: "boolean",
        int: "integer",
        float: "number",
        str: "string",
        type(None): "null",
        list: "array",
    }
    return {"type": kinds.get(type(value), "object")}


def _for_every(fits: list[Fit]) -> Fit:
    """The verdict on a value that is one of several: certain only if they all agree."""
    return fits[0] if fits and len(set(fits)) == 1 else "unknown"


def _for_any(fits: list[Fit]) -> Fit:
    """The verdict on a value that may be one of several: one that fits is enough."""
    return "yes" if "yes" in fits else "no" if all(fit == "no" for fit in fits) else "unknown"


def for_all(fits: Iterable[Fit]) -> Fit:
    """The verdict on a value with several parts, each of which has to fit."""
    found = set(fits)
    return "no" if "no" in found else "unknown" if "unknown" in found else "yes"


def _fit_payload(source: Json, target: Json) -> Fit:
    """The verdict where a payload is named whose fields are compared elsewhere: by its name, or by what it is not."""
    names = payload_in(source), payload_in(target)
    if names[0] == names[1]:
        return "yes"
    kinds = {each.get("type", "object") for each in (source, target)}
    return "no" if kinds != {"object"} and None in names else "unknown"


def _within(source: Json, name: str, value: Any) -> bool:
    """Whether a limit of the target holds for all that fits the source."""
    given = source.get(name)
    if name in _LOWER or name in _UPPER:
        return given is not None and (given >= value if name in _LOWER else given <= value)
    return bool(given == value)
