"""
A field that a type does not know is refused, wherever it stands, unless the type says what becomes of it.

Pydantic drops it without a word where nothing is declared. So values are checked by a validator of our own, made from
the same core schema: there, what is not declared (`extra="ignore"`, `extra="allow"`) is forbidden.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic_core import CoreSchema, SchemaValidator

_DECLARED = "extra_fields_behavior"


def refusing_validator(schema: CoreSchema) -> SchemaValidator:
    """The validator of a type that drops nothing unless that is declared."""
    # A validator that a class has made for itself already must not be used in its place.
    return SchemaValidator(_refusing(schema, None), _use_prebuilt=False)


def declares_extra(config: Mapping[str, Any] | None) -> bool:
    """Whether a type says what becomes of fields that it does not know."""
    return config is not None and config.get(_DECLARED) is not None


def _refusing(node: Any, config: Mapping[str, Any] | None) -> Any:
    """A copy of a part of a core schema; `config` is that of the class whose fields it may hold."""
    if isinstance(node, list):
        return [_refusing(each, config) for each in node]
    if isinstance(node, tuple):
        return tuple(_refusing(each, config) for each in node)
    if type(node) is not dict:
        return node
    kind = node.get("type")
    if kind in ("model", "dataclass", "typed-dict"):
        config = node.get("config")
    copied = {key: each if key == "metadata" else _refusing(each, config) for key, each in node.items()}
    if kind in ("model-fields", "typed-dict") and not declares_extra(config):
        copied["extra_behavior"] = "forbid"
    elif kind == "dataclass" and not declares_extra(config):
        copied["config"] = {**(config or {}), _DECLARED: "forbid"}
    return copied
