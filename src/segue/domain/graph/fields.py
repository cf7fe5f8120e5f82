"""Types and what is inside them: the field, element or item behind each step of a path."""

from __future__ import annotations

import collections
import collections.abc
import dataclasses
import types
import typing
from typing import Annotated, Any, NamedTuple, Union, get_args, get_origin, get_type_hints

import pydantic
from typing_extensions import ReadOnly, TypeAliasType, is_typeddict

from segue.domain.envelope.schema import type_name
from segue.domain.graph.graph import Path

_MARKS = (typing.Required, typing.NotRequired, ReadOnly)
_WRAPPERS = (Annotated, *_MARKS)
_SEQUENCES = (
    list,
    collections.deque,
    collections.abc.Sequence,
    collections.abc.Iterable,
    collections.abc.Collection,
)
_SETS = (set, frozenset, collections.abc.Set)
_MAPPINGS = (
    dict,
    collections.abc.Mapping,
    collections.abc.MutableMapping,
    collections.OrderedDict,
    collections.defaultdict,
)
_SCALARS = (str, bytes, int, float, bool, type(None))


class Found(NamedTuple):
    """What a path leads to: its type, and the path in the JSON form. `problem` says why it leads nowhere."""

    annotation: Any
    path: Path
    problem: str | None = None


def plain(annotation: Any) -> Any:
    """A type without what only decorates it: `Annotated`, `NewType`, aliases."""
    while True:
        if get_origin(annotation) in _WRAPPERS:
            annotation = get_args(annotation)[0]
        elif isinstance(annotation, TypeAliasType) or type(annotation).__name__ == "TypeAliasType":
            annotation = annotation.__value__
        elif isinstance(annotation, typing.NewType):
            annotation = annotation.__supertype__
        else:
            return annotation


def members(annotation: Any) -> tuple[Any, ...]:
    """The members of a union; a type that is none is its only member."""
    annotation = plain(annotation)
    if get_origin(annotation) not in (Union, types.UnionType):
        return (annotation,)
    return tuple(member for each in get_args(annotation) for member in members(each))


def accepts_none(annotation: Any) -> bool:
    """Whether a type says that it accepts None. `Any` does not say so."""
    return any(member is None or member is type(None) for member in members(annotation))


def or_none(annotation: Any) -> Any:
    """The type that accepts None as well."""
    return annotation if annotation is Any or accepts_none(annotation) else annotation | None


def list_of(annotation: Any) -> Any:
    """The type of lists of a type."""
    return types.GenericAlias(list, (annotation,))


def is_open(annotation: Any) -> bool:
    """Whether nothing is known about the values of a type."""
    return annotation is Any or annotation is object or isinstance(annotation, typing.TypeVar)


def follow(annotation: Any, path: Path) -> Found:
    """Follow a path into a type. Where nothing is known of a type, any path is right."""
    steps: list[str | int] = []
    for key in path:
        found = _step(annotation, key)
        if found.problem is not None:
            return found
        steps += found.path
        annotation = found.annotation
    return Found(annotation, tuple(steps))


def element_of(annotation: Any, key: str | int) -> Any:
    """The type that a list or dict literal must have at a position to fit; `Any` where that is not known."""
    kinds = [kind for kind in members(annotation) if kind is not type(None)]
    if len(kinds) != 1:
        return Any
    kind = kinds[0]
    if get_origin(kind) in _SETS:
        return get_args(kind)[0]
    found = _step(kind, key)
    return Any if found.problem is not None else found.annotation


def is_of_any_size(annotation: Any, *, keyed: bool) -> bool:
    """Whether a value of a type is still one when an element, or with `keyed` a key of a dict, is left out."""
    kinds = [kind for kind in members(annotation) if kind is not type(None)]
    if len(kinds) != 1:
        return False
    origin = get_origin(kinds[0]) or kinds[0]
    if is_open(kinds[0]) or (keyed and origin in _MAPPINGS):
        return True
    return not keyed and (
        origin in (*_SEQUENCES, *_SETS) or (origin is tuple and tuple_items(kinds[0]) is None)
    )


def tuple_items(annotation: Any) -> tuple[Any, ...] | None:
    """The types of the elements of a tuple of known length; None for everything else."""
    annotation = plain(annotation)
    if get_origin(annotation) is tuple:
        arguments = get_args(annotation)
        if arguments == ((),):
            return ()
        return None if len(arguments) == 2 and arguments[1] is Ellipsis else arguments
    if isinstance(annotation, type) and issubclass(annotation, tuple) and hasattr(annotation, "_fields"):
        hints = _hints(annotation)
        return tuple(hints.get(name, Any) for name in annotation._fields)
    return None


def _step(annotation: Any, key: str | int) -> Found:
    kinds = members(annotation)
    if len(kinds) == 1:
        return _inside_one(kinds[0], key)
    found = [_inside_one(kind, key) for kind in kinds if kind is not type(None)]
    right = [each for each in found if each.problem is None]
    if not right:
        return found[0]
    inner: Any = Union[tuple(each.annotation for each in right)]  # noqa: UP007 - built from values
    if len({each.path for each in right}) > 1 or any(is_open(each.annotation) for each in right):
        inner = Any
    return Found(or_none(inner) if accepts_none(annotation) else inner, right[0].path)


def _inside_one(kind: Any, key: str | int) -> Found:
    if is_open(kind):
        return Found(Any, (key,))
    origin = get_origin(kind) or kind
    if origin in _MAPPINGS:
        arguments = get_args(kind)
        return Found(arguments[1] if len(arguments) == 2 else Any, (str(key),))
    fields = _fields_of(kind, origin)
    if isinstance(key, int):
        return _element(kind, origin, key, fields)
    if fields is not None:
        if key in fields:
            return fields[key]
        return Found(
            Any, (), f"{type_name(kind)} has no field {key!r}; it has: {', '.join(fields) or 'none'}"
        )
    if origin in (*_SCALARS, *_SEQUENCES, *_SETS, tuple):
        return Found(Any, (), f"{type_name(kind)} has no fields, so no {key!r}")
    return Found(Any, (key,))


def _element(kind: Any, origin: Any, index: int, fields: dict[str, Found] | None) -> Found:
    items = tuple_items(kind)
    if items is not None:
        if not -len(items) <= index < len(items):
            return Found(Any, (), f"{type_name(kind)} has {len(items)} elements, so no [{index}]")
        return Found(items[index], (index % len(items),))
    if origin in _SEQUENCES or origin is tuple:
        if index < 0:
            return Found(Any, (), f"elements are counted from the start, so no [{index}]")
        arguments = get_args(kind)
        return Found(arguments[0] if arguments else Any, (index,))
    if _is_root(kind):
        return _step(kind.model_fields["root"].annotation, index)
    if fields is not None or origin in (*_SCALARS, *_SETS):
        return Found(Any, (), f"{type_name(kind)} has no elements in an order, so no [{index}]")
    return Found(Any, (index,))


def _fields_of(kind: Any, origin: Any) -> dict[str, Found] | None:
    """The fields of a model, dataclass, TypedDict or named tuple; None if it has none or may have others."""
    if not isinstance(origin, type):
        return None
    if issubclass(origin, pydantic.BaseModel):
        if _is_root(kind):
            return {"root": Found(kind.model_fields["root"].annotation, ())}
        if kind.model_config.get("extra") == "allow":
            return None
        return {name: Found(field.annotation, (name,)) for name, field in kind.model_fields.items()}
    if issubclass(origin, tuple) and hasattr(origin, "_fields"):
        items = tuple_items(origin) or ()
        return {name: Found(items[index], (index,)) for index, name in enumerate(origin._fields)}
    hints = _hints(origin)
    if is_typeddict(origin):
        return {name: Found(_without_marks(hint), (name,)) for name, hint in hints.items()}
    if dataclasses.is_dataclass(origin):
        return {
            field.name: Found(hints.get(field.name, Any), (field.name,))
            for field in dataclasses.fields(origin)
        }
    return None


def _without_marks(hint: Any) -> Any:
    """The type of a field of a TypedDict without `NotRequired` and its like, which mean nothing elsewhere."""
    while get_origin(hint) in _MARKS:
        hint = get_args(hint)[0]
    return hint


def _is_root(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, pydantic.RootModel)


def _hints(kind: type) -> dict[str, Any]:
    try:
        return get_type_hints(kind, include_extras=True)
    except NameError:  # a class in a function, whose annotations nobody but pydantic has resolved
        return dict.fromkeys(getattr(kind, "__annotations__", {}), Any)
