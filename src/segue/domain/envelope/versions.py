"""
Versions of payloads, and how old ones become new: `@payload(version="2")`, `@upcast(Findings, "1", "2")`.

A version belongs to a class and not to its subclasses. A class that says nothing has the version "1". What is declared
here stands on the class itself and nowhere else, so that two modules, one of them older, can live in one process.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple, TypeVar

from pydantic import BaseModel
from typing_extensions import is_typeddict

from segue.domain.places import place_of
from segue.errors import DefinitionError

T = TypeVar("T")
Json = dict[str, Any]
UpcastFunction = Callable[[Any], Any]
F = TypeVar("F", bound=UpcastFunction)

FIRST = "1"
"""The version of a class that says none."""

MARK = "x-segue-payload"
"""The keyword by which a JSON Schema says which payload it describes: `Findings@2`."""

_DECLARED = "__segue_payload__"
_UPCASTS = "__segue_upcasts__"
_NAME = re.compile(r"\w[\w.-]*")
_VERSION = re.compile(r"\w[\w.+-]*")
_PARTS = re.compile(r"\d+|\D+")


class Declared(NamedTuple):
    """What a class says of itself: its version, and its name where that is not its own."""

    version: str
    name: str | None


class Upcast(NamedTuple):
    """One step from a version to a later one, on JSON data."""

    before: str
    after: str
    function: UpcastFunction
    place: str


def version_key(version: str) -> tuple[tuple[int, int, str], ...]:
    """What versions are ordered by: numbers in them count as numbers, so "2" comes before "10"."""
    parts = _PARTS.findall(version)
    return tuple((1, int(part), "") if part.isdecimal() else (0, 0, part) for part in parts)


def payload(*, version: str, name: str | None = None) -> Callable[[type[T]], type[T]]:
    """
    Say the version of a payload: `@payload(version="2")` above a model, dataclass or TypedDict.

    Raise it with every change of its fields, one that adds an optional field too. The payload has the name of its
    class; where two classes of one name cross in one store, give one of them another `name`. Raises DefinitionError.
    """

    def declare(cls: type[T]) -> type[T]:
        _check_class(cls, "payload")
        if not _VERSION.fullmatch(str(version)):
            raise DefinitionError(
                f"payload {cls.__name__}: version={version!r} is no version",
                remedy='Use a text of letters, digits, ".", "+" and "-": version="2".',
            )
        if name is not None and not _NAME.fullmatch(name):
            raise DefinitionError(
                f"payload {cls.__name__}: name={name!r} is no name",
                remedy='Use letters, digits, "_", "-" and ".": name="research.findings".',
            )
        setattr(cls, _DECLARED, Declared(str(version), name))
        return cls

    return declare


def upcast(cls: type[Any], before: str, after: str) -> Callable[[F], F]:
    """
    Say how a payload of an earlier version becomes one of a later: `@upcast(Findings, "1", "2")` above a function from
    JSON data to JSON data. Payloads inside it are in the form of this code already.

    Steps follow one another: from "1" to "2", from "2" to "3". Raises DefinitionError for a step that does not go up,
    and for a second one from the same version.
    """
    _check_class(cls, "upcast")

    def declare(function: F) -> F:
        where = f"the upcaster of {cls.__name__} from {before} to {after} ({place_of(function)})"
        if not version_key(before) < version_key(after):
            raise DefinitionError(
                f"{where} does not go up, so a chain of them would run in a loop",
                remedy="Upcasters lead from an earlier version to a later one.",
            )
        steps = upcasts_of(cls)
        other = steps.get(before)
        if other is not None and other.function is not function:
            raise DefinitionError(
                f"{where}: there is one from {before} already, to {other.after} ({other.place})",
                remedy="Keep one step from each version.",
            )
        setattr(cls, _UPCASTS, {**steps, before: Upcast(before, after, function, place_of(function))})
        return function

    return declare


def declared_of(cls: type[Any]) -> Declared | None:
    """What a class says of its version. A generic model says it for all its forms."""
    own: Declared | None = vars(cls).get(_DECLARED)
    if own is None and (origin := _origin(cls)) is not None:
        return declared_of(origin)
    return own


def version_of(cls: type[Any]) -> str:
    """The version of a class."""
    declared = declared_of(cls)
    return FIRST if declared is None else declared.version


def upcasts_of(cls: type[Any]) -> Mapping[str, Upcast]:
    """The steps that were declared for a class, by the version that they begin with."""
    own: Mapping[str, Upcast] | None = vars(cls).get(_UPCASTS)
    if own is None:
        origin = _origin(cls)
        return {} if origin is None else upcasts_of(origin)
    return own


def mark_of(cls: type[Any], title: str) -> str | None:
    """What the document of a class says of its version; None where that goes without saying."""
    declared = declared_of(cls)
    if declared is None or (declared.version == FIRST and declared.name is None):
        return None
    return f"{declared.name or name_of_title(title)}@{declared.version}"


def name_of_title(title: str) -> str:
    """The name of a payload by the title of its class, which has spaces where that is generic."""
    return title.replace(" ", "")


def name_of_payload(label: str) -> str:
    """The name of a payload by its mark, or by the title of its class where it has none."""
    return parse_mark(label)[0] or name_of_title(label)


def parse_mark(mark: str) -> tuple[str, str]:
    """Name and version in `Findings@2`."""
    name, _, version = mark.rpartition("@")
    return name, version


def chain(cls: type[Any], before: str) -> list[Upcast] | None:
    """
    The steps from a version to that of the class, in order; None if none begins there. Raises DefinitionError for a
    chain with a gap, or one that leads past the class.
    """
    steps, version, reached = upcasts_of(cls), version_of(cls), before
    found: list[Upcast] = []
    while reached != version:
        step = steps.get(reached)
        if step is None:
            if not found:
                return None
            raise DefinitionError(
                f"the upcasters of {cls.__name__} lead from {before} to {reached}, and its version is {version}: there "
                f"is none from {reached} (the last is at {found[-1].place})",
                remedy=f'Add @upcast({cls.__name__}, "{reached}", "{version}").',
            )
        found.append(step)
        reached = step.after
        _check_below(cls, step)
    return found


def check_chains(cls: type[Any]) -> None:
    """Raise DefinitionError unless every upcaster of a class leads to its version."""
    for before, step in upcasts_of(cls).items():
        _check_below(cls, step)
        chain(cls, before)


def _check_below(cls: type[Any], step: Upcast) -> None:
    version = version_of(cls)
    if version_key(step.after) > version_key(version):
        raise DefinitionError(
            f"the upcaster of {cls.__name__} at {step.place} leads to version {step.after}; the class has {version}",
            remedy=f'Raise it: @payload(version="{step.after}").',
        )


def can_read(requires: str, reads: Iterable[str]) -> bool:
    """Whether a worker that reads these (`Findings@3`) can read all that a task requires (`Findings@2 Report@4`)."""
    highest = dict(map(parse_mark, reads))
    wanted = map(parse_mark, requires.split())
    return all(
        name in highest and version_key(highest[name]) >= version_key(version) for name, version in wanted
    )


def _origin(cls: type[Any]) -> type[Any] | None:
    """The class that a generic model was made from."""
    generic = vars(cls).get("__pydantic_generic_metadata__")
    origin: type[Any] | None = generic.get("origin") if generic else None
    return origin


def _check_class(cls: Any, what: str) -> None:
    is_payload = isinstance(cls, type) and (
        issubclass(cls, BaseModel) or dataclasses.is_dataclass(cls) or is_typeddict(cls)
    )
    if not is_payload:
        raise DefinitionError(
            f"{what} was given {cls!r}, which is no model, dataclass or TypedDict",
            remedy="Only types with fields have versions; what is in a list or a dict has its own.",
        )
