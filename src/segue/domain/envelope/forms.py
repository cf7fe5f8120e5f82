"""
The form of a type: its JSON Schema taken apart into the payloads in it, each by itself and with a version of its own.

Each payload refers to others by name, so that raising the version of one leaves those that hold it as they are. What
does not decide which values fit is left out (descriptions, titles, which default) and what has no order is sorted:
editing a docstring changes no form.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from segue.domain.envelope.payload import canonical_json, digest_of
from segue.domain.envelope.versions import FIRST, MARK, name_of_title, parse_mark
from segue.errors import DefinitionError

Json = dict[str, Any]

_TOLD_ONLY = frozenset({"title", "description", "examples", "deprecated", "$defs", MARK})
_DATA = frozenset({"const", "discriminator"})
_PAYLOAD = "#/payloads/"


@dataclass(frozen=True)
class PayloadForm:
    """One payload: its name, its version, and the JSON Schema of its own fields."""

    name: str
    version: str
    document: Json = field(repr=False)

    @property
    def label(self) -> str:
        """`Findings@2`."""
        return f"{self.name}@{self.version}"

    @cached_property
    def text(self) -> str:
        """The canonical JSON of the document."""
        return canonical_json(self.document)

    @cached_property
    def fingerprint(self) -> str:
        """The digest of the text."""
        return digest_of(self.text.encode())


@dataclass(frozen=True)
class Form:
    """A whole type: what it is outside of payloads, and its payloads by name."""

    root: Json
    payloads: dict[str, PayloadForm]

    def reached(self, part: Any) -> Iterator[PayloadForm]:
        """The payloads that a part of this form can hold, each once."""
        seen: set[str] = set()
        pending = [part]
        while pending:
            for name in _names_in(pending.pop()):
                if name not in seen and name in self.payloads:
                    seen.add(name)
                    yield self.payloads[name]
                    pending.append(self.payloads[name].document)


def form_of(document: Json) -> Form:
    """Take a JSON Schema apart. Raises DefinitionError if two payloads in it have one name."""
    return _Taking(document).form()


def payload_in(part: Any) -> str | None:
    """The name of the payload that a part of a form stands for."""
    reference = part.get("$ref", "") if isinstance(part, dict) else ""
    return reference.removeprefix(_PAYLOAD) if reference.startswith(_PAYLOAD) else None


class _Taking:
    """Takes one document apart."""

    def __init__(self, document: Json) -> None:
        self._document = document
        self._definitions: Json = document.get("$defs", {})
        self._payloads: dict[str, PayloadForm] = {}
        self._sources: dict[str, Json] = {}
        self._open: list[str] = []

        """Definitions that are no payloads and are being written out; what refers to itself is so once."""

    def form(self) -> Form:
        root = self._payload(self._document) if _is_payload(self._document) else self._part(self._document)
        return Form(root, self._payloads)

    def _part(self, node: Any) -> Any:
        if isinstance(node, list):
            return [self._part(each) for each in node]
        if not isinstance(node, dict):
            return node
        if "$ref" in node:
            return self._referred(node["$ref"]) | ({"default": True} if "default" in node else {})
        part: Json = {}
        for key, value in node.items():
            if key in _TOLD_ONLY:
                continue
            if key in ("properties", "patternProperties"):
                part[key] = {name: self._part(each) for name, each in value.items()}
            elif key == "default":
                part[key] = True  # that there is one says that the field is always written
            elif key == "required":
                part[key] = sorted(value)
            elif key in ("anyOf", "oneOf", "allOf"):
                part[key] = sorted((self._part(each) for each in value), key=canonical_json)
            elif key == "enum":
                part[key] = sorted(value, key=canonical_json)
            elif key not in _DATA:
                part[key] = self._part(value)
            elif key == "const":
                part[key] = value
        return part

    def _referred(self, reference: str) -> Json:
        key = reference.rpartition("/")[2]
        target = self._definitions.get(key, {})
        if _is_payload(target):
            return self._payload(target)
        if key in self._open:
            return {"$ref": f"#/open/{len(self._open) - self._open.index(key)}"}
        self._open.append(key)
        try:
            part: Json = self._part(target)
            return part
        finally:
            self._open.pop()

    def _payload(self, target: Json) -> Json:
        if MARK in target:
            name, version = parse_mark(target[MARK])
        else:
            name, version = name_of_title(target["title"]), FIRST
        own = {key: value for key, value in target.items() if key != "$defs"}
        if name not in self._payloads:
            # Known before its fields are looked at: they may hold it again.
            self._sources[name] = own
            self._payloads[name] = PayloadForm(name, version, {})
            outer, self._open = self._open, []
            self._payloads[name].document.update(self._part(own))
            self._open = outer
        elif self._sources[name] != own:
            raise DefinitionError(
                f"two payloads called {name!r} cross together",
                remedy='Name one of them otherwise: @payload(version="1", name="...").',
            )
        return {"$ref": f"{_PAYLOAD}{name}"}


def _is_payload(target: Json) -> bool:
    return MARK in target or (
        target.get("type") == "object" and "properties" in target and isinstance(target.get("title"), str)
    )


def _names_in(part: Any) -> Iterator[str]:
    pending = [part]
    while pending:
        node = pending.pop()
        if isinstance(node, list):
            pending += node
        elif isinstance(node, dict):
            name = payload_in(node)
            if name is not None:
                yield name
            pending += node.values()
