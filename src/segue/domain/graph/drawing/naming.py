"""The name of a type, told from its JSON Schema: a stored graph has no Python types."""

from __future__ import annotations

from typing import Any

_SCALARS = {"string": "str", "integer": "int", "number": "float", "boolean": "bool", "null": "None"}
_FORMATS = {
    "date-time": "datetime",
    "date": "date",
    "time": "time",
    "duration": "timedelta",
    "uuid": "UUID",
    "path": "Path",
    "binary": "bytes",
    "uri": "Url",
}


def schema_name(document: Any) -> str:
    """A short name for the values of a schema: `Findings`, `list[str] | None`, `Any` where it says nothing."""
    definitions = document.get("$defs", {}) if isinstance(document, dict) else {}
    return _name(document, definitions, is_root=True)


def _name(schema: Any, definitions: dict[str, Any], *, is_root: bool = False) -> str:
    if not isinstance(schema, dict):
        return "Any"
    if "$ref" in schema:
        key = schema["$ref"].rpartition("/")[2]
        return str(definitions.get(key, {}).get("title", key))
    kind = schema.get("type")
    # A title below the root may be that of a field.
    if "title" in schema and (is_root or kind == "object" or "enum" in schema):
        return str(schema["title"])
    for word in ("anyOf", "oneOf"):
        if word in schema:
            return " | ".join(dict.fromkeys(_name(each, definitions) for each in schema[word]))
    if "const" in schema or "enum" in schema:
        values = [schema["const"]] if "const" in schema else schema["enum"]
        return " | ".join(repr(value) for value in values)
    if kind == "array":
        return _array_name(schema, definitions)
    if kind == "object":
        values = schema.get("additionalProperties")
        return f"dict[str, {_name(values, definitions)}]" if isinstance(values, dict) else "dict"
    if kind == "string":
        return _FORMATS.get(schema.get("format", ""), "str")
    return _SCALARS.get(str(kind), "Any")


def _array_name(schema: dict[str, Any], definitions: dict[str, Any]) -> str:
    if "prefixItems" in schema:
        return f"tuple[{', '.join(_name(each, definitions) for each in schema['prefixItems'])}]"
    name = "set" if schema.get("uniqueItems") else "list"
    return f"{name}[{_name(schema['items'], definitions)}]" if schema.get("items") else name
