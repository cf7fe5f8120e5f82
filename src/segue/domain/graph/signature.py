"""What a decorated function takes and gives, read from its annotations: types, and how much of each crosses."""

from __future__ import annotations

import functools
import inspect
import re
import sys
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass
from typing import Any, Union, get_args, get_origin, get_type_hints

from segue.domain.envelope.hand_to import HandTo
from segue.domain.envelope.handoff import Handoff, Later, Ref
from segue.domain.envelope.schema import type_name
from segue.domain.graph.fields import accepts_none, members, or_none, plain
from segue.domain.graph.graph import Crossing
from segue.domain.places import function_behind, place_of
from segue.errors import DefinitionError

AFTER = "after"
"""The keyword of every call that orders tasks without handing anything over."""

NAME = re.compile(r"\w[\w.-]*")
"""What agents, workflows, conditions and nodes may be called."""

_ENVELOPES: dict[Any, Crossing] = {Handoff: "handoff", Ref: "reference", Later: "later"}


@dataclass(frozen=True, slots=True)
class Parameter:
    """
    One parameter.

    `annotation` is the type of what crosses, the T of `Handoff[T]`, `Ref[T]`, `Later[T]` and of `list[Ref[T]]` (then
    `each` is true). `optional` says that None is accepted; `required` that there is no `default`.
    """

    name: str
    annotation: Any
    crossing: Crossing = "value"
    each: bool = False
    optional: bool = False
    required: bool = True
    default: Any = None
    keyword_only: bool = False

    @property
    def text(self) -> str:
        """The type as it was written: `list[Ref[Findings]]`."""
        inner = type_name(self.annotation)
        if self.crossing == "value":
            return inner
        name = next(each.__name__ for each, crossing in _ENVELOPES.items() if crossing == self.crossing)
        written = f"list[{name}[{inner}]]" if self.each else f"{name}[{inner}]"
        return f"{written} | None" if self.optional and self.crossing != "later" else written


@dataclass(frozen=True, slots=True)
class Signature:
    """The parameters of a function and the type of its output (the T of `-> Handoff[T]`)."""

    parameters: tuple[Parameter, ...]
    output: Any
    returns_handoff: bool
    is_async: bool

    def parameter(self, name: str) -> Parameter:
        """A parameter by its name. Raises KeyError."""
        for parameter in self.parameters:
            if parameter.name == name:
                return parameter
        raise KeyError(name)

    def has(self, name: str) -> bool:
        """Whether there is a parameter of this name."""
        return any(parameter.name == name for parameter in self.parameters)


class Declaration:
    """
    A function that was declared to Segue. `kind` is the word for what it was declared as.

    `namespace` holds the names around the declaration, so that annotations may use classes of a function's own. An
    annotation may name a class that is defined further down: then the signature is read when it is first needed.
    """

    def __init__(self, kind: str, fn: Any, name: str | None, namespace: Mapping[str, Any]) -> None:
        self.kind = kind
        if isinstance(fn, Declaration | type) or not callable(fn):
            raise DefinitionError(
                f"{kind} was given {fn!r}, which is no function",
                remedy=f"Write @{kind}, or @{kind}(setting=...), above a function.",
            )
        for attribute in functools.WRAPPER_ASSIGNMENTS:
            if hasattr(fn, attribute):
                setattr(self, attribute, getattr(fn, attribute))
        self.__wrapped__ = fn
        self.fn: Callable[..., Any] = fn
        self.place = place_of(fn)
        self.name = _checked_name(self, fn, name)
        try:
            self._signature: Signature | None = _read(self, fn, namespace)
        except NameError:
            self._signature = None

    @property
    def signature(self) -> Signature:
        """Parameters and output. Raises DefinitionError if an annotation cannot be resolved."""
        if self._signature is None:
            try:
                self._signature = _read(self, self.fn, {})
            except NameError as error:
                raise self.wrong(
                    f"an annotation names {error.name!r}, which is not defined",
                    "Import it, or define it in the module; under `if TYPE_CHECKING:` it is not there at run time.",
                ) from None
        return self._signature

    def checked_version(self, version: Any) -> str:
        """The version, which must be a text. Raises DefinitionError."""
        if not isinstance(version, str) or not version:
            raise self.wrong(f"version={version!r} is no version", 'Use a text: version="2".')
        return version

    def wrong(self, problem: str, remedy: str) -> DefinitionError:
        """The error that says what is wrong with this declaration."""
        return DefinitionError(f"{self.kind} {self.name!r} ({self.place}): {problem}", remedy=remedy)

    def __repr__(self) -> str:
        return f"<{self.kind} {self.name!r} at {self.place}>"


def caller_namespace(depth: int = 2) -> Mapping[str, Any]:
    """The names around the place where a decorator is used: those of the frame `depth` calls above."""
    frame = sys._getframe(depth)
    return {} if frame.f_locals is frame.f_globals else dict(frame.f_locals)


def _checked_name(declared: Declaration, fn: Callable[..., Any], name: Any) -> str:
    given = name if name is not None else getattr(function_behind(fn), "__name__", "")
    if name is None and given == "__call__":
        given = type(fn).__name__
    declared.name = given = given if isinstance(given, str) else repr(given)
    if not NAME.fullmatch(given) or given.startswith("segue."):
        reason = (
            "names that begin with 'segue.' are Segue's own"
            if given.startswith("segue.")
            else "that is no name"
        )
        raise declared.wrong(reason, 'Use letters, digits, "_", "-" and ".": name="price.compare".')
    return given


def _read(declared: Declaration, fn: Callable[..., Any], namespace: Mapping[str, Any]) -> Signature:
    function = function_behind(fn)
    hints = get_type_hints(function, localns={**namespace, **_closure(function)}, include_extras=True)
    is_async = inspect.iscoroutinefunction(fn) or inspect.iscoroutinefunction(function)
    if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
        raise declared.wrong("it is a generator", "Return one value; a list if there are many.")
    try:
        found = inspect.signature(fn).parameters.values()
    except ValueError:
        raise declared.wrong(
            "Python does not know its parameters", "Call it in a function of your own."
        ) from None
    parameters = tuple(_parameter(declared, each, hints.get(each.name, Any)) for each in found)
    output, returns_handoff = _output(declared, hints.get("return", Any), is_async)
    return Signature(parameters, output, returns_handoff, is_async)


def _closure(function: Any) -> dict[str, Any]:
    code = getattr(inspect.unwrap(function), "__code__", None)
    cells = getattr(inspect.unwrap(function), "__closure__", None) or ()
    names: dict[str, Any] = {}
    for name, cell in zip(code.co_freevars if code else (), cells, strict=False):
        try:
            names[name] = cell.cell_contents
        except ValueError:  # not assigned yet
            continue
    return names


def _parameter(declared: Declaration, parameter: inspect.Parameter, annotation: Any) -> Parameter:
    name = parameter.name
    if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
        stars = "*" if parameter.kind is parameter.VAR_POSITIONAL else "**"
        raise declared.wrong(
            f"it takes {stars}{name}, and what crosses a hand-off has a name and a type",
            "Name each parameter; a list or a dict if there are many.",
        )
    if parameter.kind is parameter.POSITIONAL_ONLY:
        raise declared.wrong(
            f"its parameter {name!r} is positional only", 'Take the "/" away: Segue passes by name.'
        )
    if name == AFTER:
        raise declared.wrong(
            f"its parameter {AFTER!r} has the name of the keyword that orders tasks",
            "Give the parameter another name.",
        )
    if name in ("self", "cls") and annotation is Any:
        raise declared.wrong(
            "it is a method without its object",
            "Declare a function, or a method of an object: agent(helper.research).",
        )
    inner, crossing, each, optional = _crossing(declared, f"the parameter {name!r}", annotation)
    required = parameter.default is parameter.empty
    return Parameter(
        name=name,
        annotation=inner,
        crossing=crossing,
        each=each,
        optional=optional,
        required=required,
        default=None if required else parameter.default,
        keyword_only=parameter.kind is parameter.KEYWORD_ONLY,
    )


def _crossing(declared: Declaration, what: str, annotation: Any) -> tuple[Any, Crossing, bool, bool]:
    """What crosses (its type), how much of it, whether for each element of a list, and whether None is accepted."""
    optional = accepts_none(annotation)
    kinds = [kind for kind in members(annotation) if kind is not type(None)]
    kind = plain(kinds[0]) if len(kinds) == 1 else None
    origin = get_origin(kind) or kind
    if origin in _ENVELOPES:
        inner = _argument(kind)
        crossing = _ENVELOPES[origin]
        _refuse_envelopes(declared, what, inner)
        if crossing == "later":
            # None is what awaiting it gives, so it belongs to the type.
            return (or_none(inner) if optional else inner), crossing, False, optional or accepts_none(inner)
        return inner, crossing, False, optional
    if origin is list:
        elements = [each for each in members(_argument(kind)) if each is not type(None)]
        element = plain(elements[0]) if len(elements) == 1 else None
        element_origin = get_origin(element) or element
        if element_origin in (Handoff, Ref):
            inner = _argument(element)
            _refuse_envelopes(declared, what, inner)
            return inner, _ENVELOPES[element_origin], True, optional or accepts_none(_argument(kind))
    _refuse_envelopes(declared, what, annotation)
    return annotation, "value", False, optional


def _argument(kind: Any) -> Any:
    arguments = get_args(kind)
    return arguments[0] if arguments else Any


def _output(declared: Declaration, annotation: Any, is_async: bool) -> tuple[Any, bool]:
    annotation = _without_hand_to(annotation)
    kind = plain(annotation)
    if (get_origin(kind) or kind) is Handoff:
        inner = _argument(kind)
        _refuse_envelopes(declared, "its output", inner)
        return inner, True
    _refuse_envelopes(declared, "its output", annotation)
    if not is_async and any(hasattr(get_origin(kind) or kind, "__await__") for kind in members(annotation)):
        raise declared.wrong(
            "it returns something to await and is no `async def`", "Declare it with `async def`."
        )
    return annotation, False


def _without_hand_to(annotation: Any) -> Any:
    """The type of the output where another agent may go on instead: that one gives an output of the same type."""
    if not any(plain(kind) is HandTo for kind in members(annotation)):
        return annotation
    rest = [kind for kind in members(annotation) if plain(kind) is not HandTo]
    return Union[tuple(rest)] if rest else Any  # noqa: UP007 (a union of what is known only now)


def _refuse_envelopes(declared: Declaration, what: str, annotation: Any) -> None:
    """`Handoff`, `Ref` and `Later` say how one whole parameter crosses, and have no meaning deep inside a type."""
    pending = [annotation]
    while pending:
        kind = plain(pending.pop())
        origin = get_origin(kind) or kind
        if origin in _ENVELOPES:
            raise declared.wrong(
                f"{what} has {origin.__name__} inside another type: {type_name(annotation)}",
                "Allowed are Handoff[T], Ref[T] and Later[T], each with `| None`, list[Handoff[T]] and list[Ref[T]]; "
                "an output is T or Handoff[T].",
            )
        pending += [argument for argument in get_args(kind) if isinstance(argument, Hashable)]
