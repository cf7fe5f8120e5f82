"""Summaries without a model: what an output holds, told from its JSON. The same bytes give the same words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic_core import from_json

from segue.domain.envelope.body import output_json
from segue.domain.envelope.limits import BYTES_PER_TOKEN, SUMMARY_TOKENS
from segue.domain.records import HandoffRecord

_BYTES = SUMMARY_TOKENS * BYTES_PER_TOKEN
_FIELD_CHARACTERS = 120
_SHOWN_ITEMS = 3
_ELLIPSIS = "…"


def estimate_tokens(text: str) -> int:
    """About how many tokens a text has for a language model: its UTF-8 bytes over four. An estimate."""
    return -(-len(text.encode()) // BYTES_PER_TOKEN)


def summary_of(record: HandoffRecord, parts: Mapping[str, Any]) -> tuple[str, bool]:
    """The summary of a stored hand-off, given its parts, and whether it was derived instead of written."""
    if "summary" in parts:
        return parts["summary"], "summary_derived" in parts
    error = parts.get("error")
    if error is not None:
        return summarise(f"{error['kind']}: {error['message']}"), True
    return derive_summary(output_json(record)), True


def derive_summary(output: bytes) -> str:
    """Summarise the JSON of an output in at most 200 (estimated) tokens: short values, lengths of lists."""
    return summarise(from_json(output))


def summarise(value: Any) -> str:
    """Summarise plain JSON data in at most 200 (estimated) tokens."""
    if isinstance(value, dict):
        return _cut("; ".join(f"{key}: {_shorten(item)}" for key, item in _first(value)) or "no fields")
    return _cut(_list_text(value) if isinstance(value, list) else _scalar_text(value, _BYTES))


def _first(value: dict[str, Any]) -> list[tuple[str, Any]]:
    # Every field takes at least four bytes, so that no more of them can fit.
    return list(value.items())[: _BYTES // 4]


def _shorten(value: Any) -> str:
    if isinstance(value, list):
        return _list_text(value)
    if isinstance(value, dict):
        names = ", ".join(list(value)[:_SHOWN_ITEMS])
        more = f", {_ELLIPSIS} ({len(value)} fields)" if len(value) > _SHOWN_ITEMS else ""
        return f"{{{names}{more}}}"
    return _scalar_text(value, _FIELD_CHARACTERS)


def _list_text(values: list[Any]) -> str:
    count = f"{len(values)} item{'' if len(values) == 1 else 's'}"
    shown = [
        _scalar_text(value, _FIELD_CHARACTERS // _SHOWN_ITEMS)
        for value in values[:_SHOWN_ITEMS]
        if not isinstance(value, dict | list)
    ]
    if not shown:
        return count
    return f"{count} ({', '.join(shown)}{', ' + _ELLIPSIS if len(values) > len(shown) else ''})"


def _scalar_text(value: Any, characters: int) -> str:
    if not isinstance(value, str):
        return "none" if value is None else str(value).lower() if isinstance(value, bool) else str(value)
    # Only what can be shown is looked at: a value may be megabytes.
    text = " ".join(value[: 2 * characters].split())
    return (
        text
        if len(text) <= characters and len(value) <= 2 * characters
        else text[: characters - 1] + _ELLIPSIS
    )


def _cut(text: str) -> str:
    """At most the limit in UTF-8 bytes, cut between words where there is one near."""
    data = text.encode()
    if len(data) <= _BYTES:
        return text
    kept = data[: _BYTES - len(_ELLIPSIS.encode())].decode(errors="ignore")
    head, space, tail = kept.rpartition(" ")
    return (head if space and len(tail) <= _FIELD_CHARACTERS else kept) + _ELLIPSIS
