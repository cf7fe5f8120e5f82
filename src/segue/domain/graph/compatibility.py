"""
Whether values of one type can fit another, told from their JSON Schemas before any value exists.

"no" is said only where it is certain, so that nothing that could work is refused; the rest is checked on receipt.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pydantic import TypeAdapter

from segue.domain.envelope.comparison import Comparison, Fit, resolved
from segue.domain.envelope.schema import schema_of
from segue.domain.graph.fields import is_open, plain
from segue.errors import DefinitionError

_CONVERTERS = frozenset({"function-before", "function-wrap", "function-plain"})
Json = dict[str, Any]


def fits(source: Any, target: Any) -> Fit:
    """Whether the values of type `source` fit the type `target`."""
    if source == target or is_open(plain(target)):
        return "yes"
    if is_open(plain(source)):
        return "unknown"
    try:
        source_document, target_document = schema_of(source).document, schema_of(target).accepted
    except DefinitionError:
        return "unknown"  # reported where the type is used
    fit = Comparison(source_document, target_document).fit(source_document, target_document)
    return "unknown" if fit == "no" and (_converts(source) or _converts(target)) else fit


def unknown_fields(source: Any, target: Any) -> list[str]:
    """The fields that values of `source` have and `target` does not know and would refuse, for error messages."""
    try:
        given, known = schema_of(source).document, schema_of(target).accepted
    except DefinitionError:
        return []
    given, known = resolved(given, given.get("$defs", {})), resolved(known, known.get("$defs", {}))
    if known.get("additionalProperties") is not False or "properties" not in known:
        return []
    return [name for name in given.get("properties", {}) if name not in known["properties"]]


def missing_fields(source: Any, target: Any) -> list[str]:
    """The fields that `target` requires and values of `source` certainly do not have, for error messages."""
    try:
        given, wanted = schema_of(source).document, schema_of(target).document
    except DefinitionError:
        return []
    given, wanted = resolved(given, given.get("$defs", {})), resolved(wanted, wanted.get("$defs", {}))
    if given.get("additionalProperties") or "properties" not in given:
        return []
    return [name for name in wanted.get("required", ()) if name not in given["properties"]]


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
