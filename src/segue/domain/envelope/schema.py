"""
The type of a payload: writing values of it as JSON and reading them back, checked on both sides.

A value is checked by reading back the very bytes that were written. That is what the receiver will do, so
what passes here passes there; and it finds what looking at an object cannot: instances that were changed or
built unchecked.
"""

from __future__ import annotations

import math
import re
from collections.abc import Awaitable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Annotated, Any, Generic, TypeVar, get_args, get_origin

from pydantic import PydanticSchemaGenerationError, PydanticUserError, TypeAdapter, ValidationError
from pydantic_core import ErrorDetails, from_json

from segue.domain.envelope.artifact import COLLECTED, HOME, Artifact, ArtifactHome
from segue.domain.envelope.depth import depth_bound
from segue.domain.envelope.forms import Form, form_of
from segue.domain.envelope.json_schema import accepted, written
from segue.domain.envelope.limits import DEPTH_LIMIT, OUTPUT_LIMIT_BYTES
from segue.domain.envelope.payload import (
    canonical_json,
    check_depth,
    check_integers,
    check_size,
    check_text,
    digest_of,
    parse_json,
)
from segue.domain.envelope.refusing import refusing_validator
from segue.domain.envelope.versions import check_chains, name_of_payload
from segue.errors import DefinitionError, InvalidPayload, UnserialisablePayload

T = TypeVar("T")
Json = dict[str, Any]

_SHOWN_ERRORS = 5
_SHOWN_VALUE_CHARACTERS = 80
_MODULES = re.compile(r"""('[^']*'|"[^"]*")|(?:[A-Za-z_]\w*\.|<locals>\.)+(?=[A-Za-z_])""")
_SURROGATE = re.compile("[\ud800-\udfff]")
_REPLACEMENT = "\ufffd".encode()
_OTHER_KEYS = re.compile(r"'keys_schema': \{'type': '(?!str')")


class Schema(Generic[T]):
    """
    A type that payloads can have. Get one with `schema_of`.

    `where` in the methods names whose value it is (`agent 'research'`) and begins every error message.
    """

    def __init__(self, annotation: Any, adapter: TypeAdapter[T]) -> None:
        self.annotation = annotation
        self.name = type_name(annotation)
        self._adapter = adapter
        self._to_json = adapter.serializer.to_json
        self._validator = refusing_validator(adapter.core_schema)
        self._from_json = self._validator.validate_json

    def __repr__(self) -> str:
        return f"Schema({self.name})"

    @cached_property
    def document(self) -> Json:
        """The JSON Schema of the stored form, which uses the names of fields and not their aliases."""
        return self._written[0]

    @cached_property
    def accepted(self) -> Json:
        """The JSON Schema of what is read: it says of unknown fields that they are refused, where that is so."""
        return accepted(self._adapter.core_schema)

    @cached_property
    def form(self) -> Form:
        """The document taken apart. Raises DefinitionError for two payloads of one name, and for broken upcasters."""
        form = form_of(self.document)
        for cls in self.classes.values():
            check_chains(cls)
        return form

    @cached_property
    def classes(self) -> dict[str, type]:
        """The classes of the payloads in this type, by name."""
        return {name_of_payload(label): cls for label, cls in self._written[1]}

    @cached_property
    def _written(self) -> tuple[Json, list[tuple[str, type]]]:
        try:
            return written(self._adapter.core_schema)
        except PydanticUserError as error:
            raise DefinitionError(
                f"{self.name} has no JSON Schema: {error.message}",
                remedy="Use a pydantic model, dataclass, TypedDict or plain type.",
            ) from None

    @cached_property
    def text(self) -> str:
        """The canonical JSON of the document."""
        return canonical_json(self.document)

    @cached_property
    def fingerprint(self) -> str:
        """The digest of the canonical JSON Schema: the schema's id."""
        return digest_of(self.text.encode())

    def dump(self, value: Any, artifacts: list[Artifact] | None = None, *, where: str = "a value") -> bytes:
        """
        The JSON of a value, checked. Artifacts found inside are appended to `artifacts`.

        Raises InvalidPayload if it does not fit the type, UnserialisablePayload if JSON cannot hold it,
        PayloadTooLarge.
        """
        found: list[Artifact] = []
        try:
            data = self._write(value, found)
            loaded = self._from_json(data, by_name=True)
        except (ValueError, RecursionError):
            found.clear()
            data, loaded = self._dump_slowly(value, found, where)
        self._check(value, data, loaded, where)
        if artifacts is not None:
            artifacts += found
        return data

    def load(self, data: bytes, home: ArtifactHome | None = None, *, where: str = "a value") -> T:
        """
        Read and check JSON. Artifacts inside remember `home`, from which they are read.

        Raises InvalidPayload if it does not fit the type.
        """
        try:
            value: T = self._from_json(data, by_name=True, context=None if home is None else {HOME: home})
        except ValidationError as error:
            raise InvalidPayload(
                f"{where}: the value does not fit {self.name}: {errors_text(error)}",
                remedy="Sender and receiver must agree on the type; a changed type needs a new version.",
            ) from None
        return value

    def _write(self, value: Any, found: list[Artifact]) -> bytes:
        # Warnings are errors here: they say that a value is not of its type, and cost nothing.
        return self._to_json(
            value, by_alias=False, round_trip=True, warnings="error", context={COLLECTED: found}
        )

    def _check(self, value: Any, data: bytes, loaded: T, where: str) -> None:
        """Hold JSON just written to the profile, looking only for what values of this type can get wrong."""
        traits = self._traits
        check_text(data, where)
        if traits.holds_integers:
            check_integers(data, where)
        if len(data) > OUTPUT_LIMIT_BYTES:
            check_size(len(data), where)
        if traits.is_open:
            check_depth(data, where)
        if traits.keys_may_collide:
            self._check_keys(data, loaded, where)
        if traits.hides_infinity and _mentions_infinity(data):
            self._check_finite(value, where)
        if traits.drops_keys:
            self._check_dropped_keys(value, where)
        if traits.alters_keys and (traits.is_open or _REPLACEMENT in data):
            self._check_altered_keys(value, data, where)

    def _dump_slowly(self, value: Any, found: list[Artifact], where: str) -> tuple[bytes, T]:
        """Find out what is wrong with a value, or shape it as pydantic would: a dict into a model."""
        try:
            shaped = self._validator.validate_python(value, by_name=True)
            raw = self._to_json(shaped, by_alias=False, round_trip=True, warnings=False)
            data = self._write(self._from_json(raw, by_name=True), found)
            return data, self._from_json(data, by_name=True)
        except ValidationError as error:
            self._check_finite(value, where)
            raise InvalidPayload(
                f"{where}: the value does not fit {self.name}: {errors_text(error)}",
                remedy="It was not awaited: write `await` before it."
                if isinstance(value, Awaitable)
                else f"Give a value of the type {self.name}, or change the annotation.",
            ) from None
        except (ValueError, RecursionError) as error:
            raise UnserialisablePayload(
                f"{where}: the value, of type {type_name(type(value))}, has no JSON form: {_reason(error)}",
                remedy="Use text, numbers, lists, dicts, models; write bytes with Artifact.write.",
            ) from None

    def _check_finite(self, value: Any, where: str) -> None:
        """Refuse NaN and infinity, which pydantic would write as null."""
        try:
            # With absent values left out, most nulls that remain are numbers that are not finite.
            if not _mentions_infinity(self._to_json(value, exclude_none=True, warnings=False)):
                return
            plain = self._adapter.serializer.to_python(value, warnings=False)
        except (ValueError, RecursionError):
            return  # not a value of this type at all; whoever asked knows and says so
        for number in _parts_of(plain):
            if isinstance(number, float) and not math.isfinite(number):
                raise UnserialisablePayload(
                    f"{where}: the value holds {number}, which JSON does not have",
                    remedy="Use None for a number that is not known.",
                )

    def _check_keys(self, data: bytes, loaded: Any, where: str) -> None:
        """Refuse objects with two keys that are one in JSON, such as 1 and "1": one of them would be lost."""
        try:
            if len(self._write(loaded, [])) == len(data):
                return
        except (ValueError, RecursionError):
            pass  # does not write itself twice in the same way, which is allowed: look closely
        parse_json(data, where)

    def _check_dropped_keys(self, value: Any, where: str) -> None:
        """Refuse keys that a TypedDict does not have: pydantic leaves them out of what it writes, without a word."""
        try:
            self._validator.validate_python(value, by_name=True)
        except ValidationError as error:
            if any(each["type"] == "extra_forbidden" for each in error.errors(include_url=False)):
                raise InvalidPayload(
                    f"{where}: the value does not fit {self.name}: {errors_text(error)}",
                    remedy=f"Give a value of the type {self.name}, or change the annotation.",
                ) from None

    def _check_altered_keys(self, value: Any, data: bytes, where: str) -> None:
        """Refuse keys that pydantic alters inside unions, before they become JSON: `_check_keys` cannot see them."""
        parts = list(_parts_of(self._adapter.serializer.to_python(value, warnings=False, round_trip=True)))
        entries = sum(len(part) for part in parts if isinstance(part, dict))
        if entries > sum(len(part) for part in _parts_of(from_json(data)) if isinstance(part, dict)):
            raise UnserialisablePayload(
                f'{where}: the value has two keys in one dict that are the same in JSON, such as 1 and "1"'
            )
        for part in parts:
            if isinstance(part, dict) and any(
                isinstance(key, str) and _SURROGATE.search(key) for key in part
            ):
                raise UnserialisablePayload(f"{where}: a key holds half a character (a lone surrogate)")

    @cached_property
    def _traits(self) -> _Traits:
        core = repr(self._adapter.core_schema)
        is_open = depth_bound(self.document) is None
        has_numbers = '"number"' in self.text
        return _Traits(
            is_open=is_open,
            holds_integers=is_open or has_numbers or '"integer"' in self.text,
            hides_infinity=is_open or "'constants'" in core or (has_numbers and '"null"' in self.text),
            keys_may_collide=is_open or _OTHER_KEYS.search(core) is not None,
            drops_keys="'typed-dict'" in core,
            alters_keys="union'" in core and (is_open or "'dict'" in core),
        )


@dataclass(frozen=True, slots=True)
class _Traits:
    """What can go wrong with values of a type at all, so that nobody pays for looking for the rest."""

    is_open: bool
    """Values may be nested to any depth: the type is recursive, or says nothing about some part."""
    holds_integers: bool
    hides_infinity: bool
    """A NaN may be written where null is allowed."""
    keys_may_collide: bool
    drops_keys: bool
    """There are TypedDicts, whose values may be dicts with other keys."""
    alters_keys: bool
    """There are dicts inside unions, which pydantic writes in two steps: the first may merge or change keys."""


_schemas: dict[tuple[Any, str], Schema[Any]] = {}
_unhashable: dict[int, tuple[Any, Schema[Any]]] = {}


def schema_of(annotation: Any, *, where: str = "a payload") -> Schema[Any]:
    """
    The schema of a type: a model, dataclass, TypedDict, plain type, union, `Any`, None. Built once.

    Raises DefinitionError if values of the type cannot cross a hand-off.
    """
    try:
        # Unions are equal in any order, but their documents are not: what they look like belongs to the key.
        key = (annotation, repr(annotation))
        schema = _schemas.get(key)
    except TypeError:  # annotated with something unhashable; kept alive here, so its id stays its own
        known = _unhashable.get(id(annotation))
        if known is None:
            known = _unhashable[id(annotation)] = (annotation, _build(annotation, where))
        return known[1]
    if schema is None:
        schema = _schemas[key] = _build(annotation, where)
    return schema


def _build(annotation: Any, where: str) -> Schema[Any]:
    try:
        return Schema(annotation, TypeAdapter(annotation))
    except (PydanticSchemaGenerationError, PydanticUserError, NameError) as error:
        message = (error.message if isinstance(error, PydanticUserError) else str(error)).splitlines()[0]
        raise DefinitionError(
            f"{where} has the type {type_name(annotation)}, which cannot cross a hand-off: {message}",
            remedy="Use a pydantic model, dataclass, TypedDict or plain type; bytes cross as Artifact.",
        ) from None


def type_name(annotation: Any) -> str:
    """A type as people write it: `Findings`, `list[Findings] | None`; of an `Annotated` one the type itself."""
    if get_origin(annotation) is Annotated:
        return type_name(get_args(annotation)[0])
    if annotation is None or annotation is type(None):
        return "None"
    if isinstance(annotation, type) and not get_args(annotation):
        return annotation.__qualname__.rpartition("<locals>.")[2]
    return _MODULES.sub(r"\1", repr(annotation))


def _mentions_infinity(data: bytes) -> bool:
    return b"null" in data or b"NaN" in data or b"Infinity" in data


def _parts_of(value: Any) -> Iterator[Any]:
    """Everything inside plain data, itself included."""
    pending = [value]
    while pending:
        item = pending.pop()
        yield item
        if isinstance(item, dict):
            pending.extend(item.values())
        elif isinstance(item, list | tuple | set | frozenset):
            pending.extend(item)


def errors_text(error: ValidationError) -> str:
    """What is wrong, field by field: `competitors[2]: Input should be a valid string (got 3)`."""
    errors = error.errors(include_url=False, include_context=False)
    lines = [_error_text(details) for details in errors[:_SHOWN_ERRORS]]
    if len(errors) > _SHOWN_ERRORS:
        lines.append(f"and {len(errors) - _SHOWN_ERRORS} more")
    return "; ".join(lines)


def _error_text(details: ErrorDetails) -> str:
    parts = (f"[{part}]" if isinstance(part, int) else f".{part}" for part in details["loc"])
    place = "".join(parts).lstrip(".")
    shown = repr(details["input"])
    if len(shown) > _SHOWN_VALUE_CHARACTERS:
        shown = shown[: _SHOWN_VALUE_CHARACTERS - 1] + "…"
    return f"{place + ': ' if place else ''}{details['msg']} (got {shown})"


def _reason(error: BaseException) -> str:
    text = str(error).removeprefix("Error serializing to JSON: ")
    if "surrogates not allowed" in text:
        return "a text in it holds half a character (a lone surrogate)"
    if "invalid utf-8" in text:
        return "it holds bytes that are not UTF-8 text"
    if "Circular reference" in text:
        return "it contains itself"
    if "depth exceeded" in text or isinstance(error, RecursionError):
        return f"it is nested more than {DEPTH_LIMIT} levels deep"
    return text
