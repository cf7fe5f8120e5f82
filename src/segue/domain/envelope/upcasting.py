"""
Reading what other code has written: data of the sender's form as data of the receiver's.

Payloads inside one another are brought up from the inside to the outside, each by the upcasters of its class. What is
newer than the receiver is not touched: it is for another worker.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from pydantic_core import from_json, to_json

from segue.domain.envelope.changes import drift
from segue.domain.envelope.forms import Form, PayloadForm, payload_in
from segue.domain.envelope.schema import Schema
from segue.domain.envelope.versions import chain, version_key
from segue.errors import DefinitionError, InvalidPayload, NewerPayload, UnserialisablePayload

Json = dict[str, Any]
Versions = Mapping[str, PayloadForm]
"""The payloads that a receiver knows, by name."""

_KINDS: dict[str, tuple[type, ...]] = {
    "object": (dict,),
    "array": (list,),
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "null": (type(None),),
}


class Upcasting:
    """
    From one form of a sender to the payloads that a receiver knows. `classes` have the upcasters, by name of payload;
    `where` begins every error.
    """

    def __init__(self, form: Form, known: Versions, classes: Mapping[str, type], *, where: str) -> None:
        self._form = form
        self._known = known
        self._classes = classes
        self._where = where
        self.unaided: list[str] = []
        """What was older and left as it is, because no upcaster begins there: it fits as it is, or not at all."""

    def check(self, part: Any) -> bool:
        """
        Whether anything in a part of the form must be brought up. Raises NewerPayload with all that is newer than the
        receiver, and SchemaDrift for what has the same version and other fields.
        """
        newer, older = [], False
        for sent in self._form.reached(part):
            mine = self._known.get(sent.name)
            if mine is None or (sent.fingerprint == mine.fingerprint and sent.version == mine.version):
                continue
            if version_key(sent.version) > version_key(mine.version):
                newer.append(sent.label)
            elif sent.version == mine.version:
                raise drift(self._where, sent, mine)
            else:
                older = True
        if newer:
            raise newer_payload(self._where, sorted(newer))
        return older

    def document(self, data: bytes, part: Any) -> bytes:
        """JSON that fits a part of the form, brought up. Raises as `check` does, and InvalidPayload."""
        if not self.check(part):
            return data
        value = self._value(from_json(data), part)
        try:
            return to_json(value)
        except ValueError as error:
            raise UnserialisablePayload(
                f"{self._where}: what its upcasters made is no JSON: {error}"
            ) from None

    def _value(self, value: Any, part: Any) -> Any:
        name = payload_in(part)
        if name is not None:
            return self._payload(value, self._form.payloads[name])
        alternatives = part.get("anyOf") or part.get("oneOf")
        if alternatives is not None:
            fitting = [each for each in alternatives if self._fits(value, each)]
            return self._value(value, fitting[0]) if fitting else value
        if isinstance(value, list):
            heads, rest = part.get("prefixItems", ()), part.get("items", {})
            parts = [*heads, *([rest] * (len(value) - len(heads)))]
            return [self._value(each, inner) for each, inner in zip(value, parts, strict=False)]
        if isinstance(value, dict):
            fields, others = part.get("properties", {}), part.get("additionalProperties")
            others = others if isinstance(others, dict) else {}
            return {key: self._value(each, fields.get(key, others)) for key, each in value.items()}
        return value

    def _payload(self, value: Any, sent: PayloadForm) -> Any:
        value = self._value(value, sent.document)
        mine = self._known.get(sent.name)
        if mine is None or version_key(sent.version) >= version_key(mine.version):
            return value
        cls = self._classes.get(sent.name)
        steps = None if cls is None else chain(cls, sent.version)
        if steps is None:
            if sent.label not in self.unaided:
                self.unaided.append(sent.label)
            return value
        for step in steps:
            what = f"{self._where}: the upcaster of {sent.name} from {step.before} to {step.after} ({step.place})"
            try:
                value = step.function(value)
            except Exception as error:
                raise InvalidPayload(
                    f"{what} failed: {type(error).__name__}: {error}",
                    remedy="Mend it, and try the task again.",
                ) from error
        return value

    def _fits(self, value: Any, part: Any) -> bool:
        """Whether a value that the sender wrote is of this one of several parts."""
        name = payload_in(part)
        if name is not None:
            part = self._form.payloads[name].document
        if "const" in part or "enum" in part:
            return value in part.get("enum", [part.get("const")])
        alternatives = part.get("anyOf") or part.get("oneOf")
        if alternatives is not None:
            return any(self._fits(value, each) for each in alternatives)
        kinds = _KINDS.get(part.get("type", ""))
        if kinds is not None and (
            not isinstance(value, kinds) or (isinstance(value, bool) and bool not in kinds)
        ):
            return False
        if isinstance(value, list):
            return all(self._fits(each, part.get("items", {})) for each in value)
        if isinstance(value, dict) and "properties" in part:
            fields = part["properties"]
            known = part.get("additionalProperties") or value.keys() <= fields.keys()
            return (
                bool(known)
                and value.keys() >= set(part.get("required", ()))
                and all(self._fits(each, fields.get(key, {})) for key, each in value.items())
            )
        return True


def newer_payload(where: str, labels: list[str]) -> NewerPayload:
    """The error for what is newer than the code that is to read it."""
    return NewerPayload(
        f"{where}: it holds {', '.join(labels)}, which is newer than this process can read",
        requires=" ".join(labels),
        remedy="A worker with the newer code takes the task; start one if there is none.",
    )


def part_at(form: Form, part: Any, path: tuple[str | int, ...]) -> Any:
    """What a path leads to in a part of a form; a part that says nothing where it leads nowhere."""
    for key in path:
        part = _step(form, part, key)
    return part


def _step(form: Form, part: Any, key: str | int) -> Any:
    name = payload_in(part)
    if name is not None:
        part = form.payloads[name].document
    for alternative in part.get("anyOf") or part.get("oneOf") or ():
        inner = _step(form, alternative, key)
        if inner:
            return inner
    if isinstance(key, int):
        heads = part.get("prefixItems", ())
        return heads[key] if -len(heads) <= key < len(heads) else part.get("items", {})
    others = part.get("additionalProperties")
    return part.get("properties", {}).get(key, others if isinstance(others, dict) else {})


def payloads_together(schemas: Iterable[Schema[Any]]) -> dict[str, PayloadForm]:
    """
    The payloads of several types that cross in one place, by name. Raises DefinitionError if one of them is there in
    two versions, or with two sets of fields.
    """
    found: dict[str, PayloadForm] = {}
    places: dict[str, str] = {}
    for schema in schemas:
        for each in schema.form.payloads.values():
            known = found.setdefault(each.name, each)
            place = _place_of(schema, each.name)
            other = places.setdefault(each.name, place)
            if known.version != each.version:
                raise DefinitionError(
                    f"payload {each.name} crosses here in two versions, {known.version!r} ({other}) and "
                    f"{each.version!r} ({place})",
                    remedy="A version of a class goes with the class: import one and the same everywhere, or name "
                    f"one of them otherwise: {_named_otherwise(each)}.",
                )
            if known.fingerprint != each.fingerprint:
                raise DefinitionError(
                    f"two classes called {each.name} cross here, {other} and {place}",
                    remedy=f"Name one of them otherwise: {_named_otherwise(each)}.",
                )
    return found


def _place_of(schema: Schema[Any], name: str) -> str:
    """Where the class of a payload is from: `shop.orders.Result`."""
    cls = schema.classes.get(name)
    return schema.name if cls is None else f"{cls.__module__}.{cls.__qualname__}"


def _named_otherwise(payload: PayloadForm) -> str:
    return f'@payload(version="{payload.version}", name="...")'
