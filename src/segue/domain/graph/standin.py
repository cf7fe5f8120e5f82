"""
The values that a workflow sees while its graph is built: each stands for something that only a run will have.

A stand-in has no attributes of its own, so that any field name works. Whatever would need the value is refused, with
the line and the remedy.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NoReturn

from segue.domain.graph.fields import follow, tuple_items
from segue.domain.graph.graph import Binding, Output, Path, RunInput
from segue.domain.places import user_place
from segue.errors import StandInError

if TYPE_CHECKING:
    from segue.domain.graph.building import Draft
    from segue.domain.graph.workflow import ConditionFunction

_IN_AGENT = "Do it in an agent: only a run has the value."
_DECIDE = "Use agent.when(...)(...) with a field that is true or false, or with an @condition function."


@dataclass(frozen=True, slots=True)
class Inside:
    """
    What a stand-in stands for.

    `annotation` is the type of the whole value that the binding's path leads into. `condition` names the function whose
    verdict on the binding it is; such a stand-in is for `.when` alone.
    """

    draft: Draft
    binding: Binding
    annotation: Any
    condition: ConditionFunction | None = None


def _refuse(action: str, remedy: str) -> Callable[..., NoReturn]:
    def refuse(self: StandIn, *_: object) -> NoReturn:
        raise StandInError(
            f"{user_place()}: {action} of {described(self)}, which has no value yet", remedy=remedy
        )

    return refuse


class StandIn:
    """A value that only a run will have. Fields and elements of it are stand-ins too."""

    __slots__ = ("__inside__",)

    __inside__: Inside

    def __init__(self, inside: Inside) -> None:
        object.__setattr__(self, "__inside__", inside)

    def __getattr__(self, name: str) -> StandIn:
        if name.startswith("__") and name.endswith("__"):
            raise AttributeError(name)
        return _below(self, name)

    def __getitem__(self, key: object) -> StandIn:
        if isinstance(key, bool) or not isinstance(key, str | int):
            raise StandInError(
                f"{user_place()}: {described(self)} has no value yet and was given [{_key_text(key)}]",
                remedy='Only a field and an element can be referred to: found["name"], found[0]. '
                + _IN_AGENT,
            )
        return _below(self, key)

    def __iter__(self) -> Iterator[StandIn]:
        inside = self.__inside__
        path = getattr(inside.binding, "path", ())
        items = None if inside.condition else tuple_items(follow(inside.annotation, path).annotation)
        if items is None:
            raise StandInError(
                f"{user_place()}: iteration over {described(self)}, which has no value yet",
                remedy="Use agent.map(...), which calls an agent for each element. A tuple output of known length "
                "(-> tuple[A, B]) can be unpacked.",
            )
        return iter([_below(self, index) for index in range(len(items))])

    def __repr__(self) -> str:
        return f"<{described(self)}>"

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise StandInError(
            f"{user_place()}: {described(self)} cannot be changed (tried to set {name!r})", remedy=_IN_AGENT
        )

    __bool__ = _refuse("the truth", _DECIDE)
    __eq__ = __ne__ = __lt__ = __le__ = __gt__ = __ge__ = _refuse("comparison", _DECIDE)
    __hash__ = _refuse(
        "the hash", "It cannot be a key of a dict or a member of a set; use a list or a dict with text keys."
    )
    __len__ = _refuse("the length", _IN_AGENT)
    __contains__ = _refuse("`in`", _DECIDE)
    __str__ = __format__ = _refuse("formatting", _IN_AGENT)
    __call__ = _refuse("a call", "A method needs the value. " + _IN_AGENT)
    __await__ = __aiter__ = __anext__ = _refuse(
        "`await`", "A workflow is no `async def` and waits for nothing."
    )
    __next__ = __enter__ = __aenter__ = _refuse("use", _IN_AGENT)
    __delattr__ = __setitem__ = __delitem__ = _refuse("a change", _IN_AGENT)
    __int__ = __float__ = __index__ = __complex__ = __bytes__ = __fspath__ = _refuse("conversion", _IN_AGENT)
    __neg__ = __pos__ = __abs__ = __invert__ = __round__ = __reversed__ = _refuse("arithmetic", _IN_AGENT)
    __add__ = __sub__ = __mul__ = __truediv__ = __floordiv__ = __mod__ = __pow__ = _refuse(
        "arithmetic", _IN_AGENT
    )
    __radd__ = __rsub__ = __rmul__ = __rtruediv__ = __rfloordiv__ = __rmod__ = _refuse(
        "arithmetic", _IN_AGENT
    )
    __and__ = __or__ = __xor__ = __rand__ = __ror__ = __rxor__ = _refuse("logic", _DECIDE)
    __matmul__ = __rmatmul__ = __rpow__ = __divmod__ = __lshift__ = __rshift__ = _refuse(
        "arithmetic", _IN_AGENT
    )


def inside(standin: StandIn) -> Inside:
    """What a stand-in stands for."""
    return standin.__inside__


def described(standin: StandIn) -> str:
    """A stand-in in words: `the stand-in for research.competitors[0]`."""
    held = standin.__inside__
    if held.condition is not None:
        return f"the stand-in for the condition {held.condition.name!r}"
    return f"the stand-in for {binding_text(held.binding)}"


def binding_text(binding: Binding) -> str:
    """A reference as it is written in a workflow: `research.competitors[0]`."""
    match binding:
        case Output(node=name, path=path) | RunInput(name=name, path=path):
            return name + path_text(path)
        case _:
            return "a value"


def path_text(path: Path) -> str:
    """A path as it is written behind a name: `.competitors[0]`."""
    return "".join(f"[{key}]" if isinstance(key, int) else f".{key}" for key in path)


def _below(standin: StandIn, key: str | int) -> StandIn:
    held = standin.__inside__
    match held.binding:
        case Output(node=node, path=path) if held.condition is None:
            binding: Binding = Output(node, (*path, key))
        case RunInput(name=name, path=path) if held.condition is None:
            binding = RunInput(name, (*path, key))
        case _:
            raise StandInError(f"{user_place()}: {described(standin)} has no fields", remedy=_DECIDE)
    return StandIn(Inside(held.draft, binding, held.annotation))


def _key_text(key: object) -> str:
    if isinstance(key, slice):
        bounds = (key.start, key.stop) if key.step is None else (key.start, key.stop, key.step)
        return ":".join("" if bound is None else repr(bound) for bound in bounds)
    return repr(key)
