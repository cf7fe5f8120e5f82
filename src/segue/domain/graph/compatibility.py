"""
Whether values of one type can fit another, told from their JSON Schemas before any value exists.

"no" is said only where it is certain, so that nothing that could work is refused; the rest is checked on receipt.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Literal

from pydantic import TypeAdapter

from segue.domain.envelope.schema import schema_of
from segue.domain.graph.fields import is_open, plain
from segue.errors import DefinitionError

Fit = Literal["yes", "unknown", "no"]

_CONVERTERS = frozenset({"function-before", "function-wrap", "function-plain"})
_VERDICTS: dict[tuple[str, str], Fit] = {
    ("integer", "number"): "yes",
    ("number", "integer"): "unknown",  # 1.0 is an integer to JSON
    ("boolean", "integer"): "unknown",
    ("boolean", "number"): "unknown",
    ("integer", "boolean"): "unknown",
    ("number", "boolean"): "unknown",
}
Json = dict[str, Any]


def fits(source: Any, target: Any) -> Fit:
    """Whether the values of type `source` fit the type `target`."""
    if source == target or is_open(plain(target)):
        return "yes"
    if is_open(plain(source)):
        return "unknown"
    try:
        source_document, target_document = schema_of(source).document, schema_of(target).document
    except DefinitionError:
        return "unknown"  # reported where the type is used
    fit = Comparison(source_document, target_document).fit(source_document, target_document)
    return "unknown" if fit == "no" and (_converts(source) or _converts(target)) else fit


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
        source = _resolved(source, self._source_definitions)
        target = _resolved(target, self._target_definitions)
        if _says_nothing(target):
            return "yes"
        if _says_nothing(source):
            return "unknown"
        sources, targets = _alternatives(source), _alternatives(target)
        if sources is not None:
            return _for_every([self.fit(each, target) for each in sources])
        if targets is not None:
            return _for_any([self.fit(source, each) for each in targets])
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
        limits = {
            name: value
            for name, value in target.items()
            if name not in ("type", "title", "description", "default", "examples")
        }
        return "yes" if all(source.get(name) == value for name, value in limits.items()) else "unknown"

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
                found.append(fit if name in always or fit == "yes" else "unknown")
            elif needed:
                found.append("no" if not others or self.fit(value, schema) == "no" else "unknown")
        rest = target.get("additionalProperties", True)
        for name in given.keys() - wanted.keys():
            fit = "no" if rest is False else "yes" if rest is True else self.fit(given[name], rest)
            found.append(fit if name in always or fit == "yes" else "unknown")
        if others:
            found.append("yes" if rest is True else "unknown" if rest is False else self.fit(value, rest))
        return _for_all(found)

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
            return _for_all([self.fit(each, other) for each, other in zip(given, inner, strict=True)])
        elements = source.get("items", {})
        if wanted is not None:
            return "no" if "no" in [self.fit(elements, each) for each in wanted] else "unknown"
        fit = self.fit(elements, target.get("items", {}))
        limited = least or most is not None or (target.get("uniqueItems") and not source.get("uniqueItems"))
        return "unknown" if fit == "yes" and limited else fit


def missing_fields(source: Any, target: Any) -> list[str]:
    """The fields that `target` requires and values of `source` certainly do not have, for error messages."""
    try:
        given, wanted = schema_of(source).document, schema_of(target).document
    except DefinitionError:
        return []
    given, wanted = _resolved(given, given.get("$defs", {})), _resolved(wanted, wanted.get("$defs", {}))
    if given.get("additionalProperties") or "properties" not in given:
        return []
    return [name for name in wanted.get("required", ()) if name not in given["properties"]]


def _resolved(schema: Any, definitions: Json) -> Json:
    seen = set()
    while isinstance(schema, dict) and "$ref" in schema and schema["$ref"] not in seen:
        seen.add(schema["$ref"])
        schema = definitions.get(schema["$ref"].rpartition("/")[2], {})
    return schema if isinstance(schema, dict) else {}


def _says_nothing(schema: Json) -> bool:
    return not schema.keys() - {"title", "description", "default", "examples", "$defs", "deprecated"}


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


def _for_all(fits: Iterable[Fit]) -> Fit:
    """The verdict on a value with several parts, each of which has to fit."""
    found = set(fits)
    return "no" if "no" in found else "unknown" if "unknown" in found else "yes"


def _converts(annotation: Any) -> bool:
    """Whether a type has code of its own that may accept or write other JSON than its schema says."""
    for part in _parts(TypeAdapter(annotation).core_schema):
        if part.get("coerce_numbers_to_str"):
            return True
        if str(part.get("type")) in _CONVERTERS:
            function = part.get("function")
            function = function.get("function") if isinstance(function, dict) else function
            if not _is_of_pydantic(function):
                return True
    return False


def _parts(schema: Any) -> Iterator[Json]:
    pending, seen = [schema], set()
    while pending:
        part = pending.pop()
        if not isinstance(part, dict | list | tuple) or id(part) in seen:
            continue
        seen.add(id(part))
        if isinstance(part, dict):
            yield part
        pending += part.values() if isinstance(part, dict) else part


def _is_of_pydantic(function: Any) -> bool:
    return str(getattr(function, "__module__", "") or "pydantic").partition(".")[0] in (
        "pydantic",
        "pydantic_core",
        "segue",
    )
