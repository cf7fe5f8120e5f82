"""
What a task remembers across its attempts: the results of finished steps, and effects outside with their outcome.

Here is decided what a record means to an attempt that finds it, and what a result looks like when it is kept: in the
form that the return annotation of the function says, and always handed on as it was read back, so that the attempt that
made it and those that remember it get the same value.
"""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any, Literal, NamedTuple, get_args, get_origin, get_type_hints
from urllib.parse import quote

from segue.domain.envelope.artifact import Artifact
from segue.domain.envelope.limits import SPILL_BYTES
from segue.domain.envelope.payload import digest_of, is_storable
from segue.domain.envelope.schema import Schema, schema_of
from segue.domain.places import function_behind
from segue.domain.rows import StepKind, StepRecord, StepState
from segue.errors import DefinitionError, UsageError

NAME_CHARACTERS = 200
"""The longest name of a step or effect, and the longest key: what services outside take as an idempotency key."""

KEY_PARAMETER = "idempotency_key"
"""A function that takes a parameter of this name is given the key of the effect."""

Standing = Literal["new", "done", "in_doubt"]
"""What an attempt finds: nothing that counts; a result; an intent of an earlier attempt without its outcome."""

EffectState = Literal["begun", "done", "withdrawn", "in_doubt"]
"""What people see of an effect: `begun` only while the attempt that began it runs."""


@dataclass(frozen=True, slots=True)
class Happened:
    """What a `reconcile` function returns about an effect that happened: its result, as JSON can hold it."""

    result: Any = None


@dataclass(frozen=True, slots=True)
class DidNotHappen:
    """What a `reconcile` function returns about an effect that did not happen, so that it may be tried again."""


class Kept(NamedTuple):
    """A result as JSON, and the digests that its record lists: it is itself the first of them if it is too large."""

    data: bytes
    artifacts: tuple[str, ...]
    is_spilled: bool


def checked_name(kind: StepKind, name: Any) -> str:
    """The name of a step or effect. Raises UsageError if it cannot be one."""
    if not isinstance(name, str) or not 0 < len(name) <= NAME_CHARACTERS or not is_storable(name):
        raise UsageError(
            f"{name!r} cannot be the name of {_article(kind)}",
            remedy=f"Give a text of at most {NAME_CHARACTERS} characters that is the same in every attempt.",
        )
    return name


def checked_key(name: str, key: Any) -> str | None:
    """The idempotency key that was given for an effect. Raises UsageError if it cannot be one."""
    if key is None:
        return None
    if not isinstance(key, str) or not 0 < len(key) <= NAME_CHARACTERS or not is_storable(key):
        raise UsageError(
            f"{key!r} cannot be the key of the effect {name!r}",
            remedy=f"Give a text of at most {NAME_CHARACTERS} characters, such as the id of an order, or no key.",
        )
    return key


def derived_key(run: str, task: str, name: str) -> str:
    """The key of an effect that was given none: the same in every attempt, and fit for a header of HTTP."""
    return quote(f"{run}/{task}/{name}", safe="/[]")


def standing_of(known: StepRecord | None) -> Standing:
    """What a record of an earlier attempt means to the one that finds it."""
    if known is None or known.state == "withdrawn":
        return "new"
    return "done" if known.state == "done" else "in_doubt"


def effect_state(record: StepRecord, task_state: str, epoch: int) -> EffectState:
    """What people are told of an effect of a task that is in this state and epoch."""
    if record.state == "begun" and not (task_state == "claimed" and record.epoch == epoch):
        return "in_doubt"
    return record.state


def check_kind(known: StepRecord, kind: StepKind, where: str) -> None:
    """Refuse a name that an earlier attempt used for something else. Raises UsageError."""
    if known.kind != kind:
        raise UsageError(
            f"{where} was {_article(known.kind)} in an earlier attempt, and now it is {_article(kind)}",
            remedy="Give it a name of its own: what is remembered under this one is something else.",
        )


def used_twice(kind: StepKind, where: str) -> UsageError:
    """The error for a name that is used twice in one attempt."""
    return UsageError(
        f"{where} was used before in this attempt",
        remedy=f'Each {kind} of a task needs a name of its own; in a loop: f"{{name}}-{{number}}".',
    )


def result_schema(fn: Callable[..., Any], where: str) -> Schema[Any]:
    """
    The form in which results of a function are kept: that of its return annotation, else plain JSON.

    Raises DefinitionError, before anything is called, if the annotation cannot be resolved or cannot cross.
    """
    return schema_of(_return_annotation(fn, where), where=f"the result of {where}")


def _return_annotation(fn: Callable[..., Any], where: str) -> Any:
    if isinstance(fn, type):
        return fn
    function = inspect.unwrap(function_behind(fn))
    annotation = getattr(function, "__annotations__", {}).get("return", Any)
    if isinstance(annotation, str):
        try:
            annotation = _resolved(annotation, function)
        except (NameError, AttributeError, TypeError, SyntaxError) as error:
            raise DefinitionError(
                f"{where}: its function says that it returns {annotation!r}, which cannot be resolved: {error}",
                remedy="Wrap the call in a function of yours, with a return annotation that can be resolved.",
            ) from None
    origin = get_origin(annotation)
    if isinstance(origin, type) and issubclass(origin, Awaitable):
        return get_args(annotation)[-1]
    return annotation


def _resolved(annotation: str, function: Any) -> Any:
    """An annotation that is a text, resolved where its function was defined."""
    names = dict(getattr(function, "__globals__", {}))
    if inspect.isfunction(function):
        names |= inspect.getclosurevars(function).nonlocals
    holder: Any = SimpleNamespace(__annotations__={"return": annotation})
    return get_type_hints(holder, globalns=names, include_extras=True)["return"]


def takes_key(fn: Callable[..., Any]) -> bool:
    """Whether a function takes the idempotency key of an effect by name."""
    try:
        parameter = inspect.signature(fn).parameters.get(KEY_PARAMETER)
    except ValueError:  # some functions written in C do not say what they take
        return False
    return parameter is not None and parameter.kind in (
        parameter.KEYWORD_ONLY,
        parameter.POSITIONAL_OR_KEYWORD,
    )


def keep(value: Any, schema: Schema[Any], where: str, spill_bytes: int = SPILL_BYTES) -> Kept:
    """A result as it is kept. Raises InvalidPayload, UnserialisablePayload, PayloadTooLarge."""
    found: list[Artifact] = []
    data = schema.dump(value, found, where=where)
    digests = dict.fromkeys(artifact.digest for artifact in found if artifact.digest is not None)
    if len(data) <= spill_bytes:
        return Kept(data, tuple(digests), is_spilled=False)
    digest = digest_of(data)
    return Kept(data, (digest, *(each for each in digests if each != digest)), is_spilled=True)


def draft(
    kind: StepKind, name: str, state: StepState = "done", key: str = "", kept: Kept | None = None
) -> StepRecord:
    """A record to be written; whoever writes it knows its epoch and time."""
    body = None if kept is None or kept.is_spilled else kept.data
    return StepRecord(name, kind, state, key, body, 0, 0.0, () if kept is None else kept.artifacts)


def _article(kind: StepKind) -> str:
    return "an effect" if kind == "effect" else "a step"
