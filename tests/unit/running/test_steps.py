"""What is remembered, what it means to whoever finds it, and in which form results are kept."""

from __future__ import annotations

import functools
from collections.abc import Awaitable, Coroutine
from typing import Any

import pytest
from pydantic import BaseModel

from segue.domain.envelope.artifact import Artifact
from segue.domain.envelope.payload import digest_of
from segue.domain.envelope.schema import schema_of
from segue.domain.rows import StepKind, StepRecord, StepState
from segue.domain.running.steps import (
    checked_key,
    checked_name,
    derived_key,
    draft,
    effect_state,
    keep,
    result_schema,
    standing_of,
    takes_key,
)
from segue.errors import DefinitionError, UnserialisablePayload, UsageError


class Answer(BaseModel):
    text: str


def record(state: StepState, epoch: int = 1, kind: StepKind = "effect") -> StepRecord:
    return StepRecord("charge", kind, state, "key", None, epoch, 1.0)


def test_what_a_record_means() -> None:
    """Only an intent without its outcome is in doubt; what was withdrawn is as good as new."""
    assert standing_of(None) == "new"
    assert standing_of(record("withdrawn")) == "new"
    assert standing_of(record("done")) == "done"
    assert standing_of(record("begun")) == "in_doubt"


@pytest.mark.parametrize(
    ("state", "task_state", "epoch", "shown"),
    [
        ("begun", "claimed", 1, "begun"),
        ("begun", "claimed", 2, "in_doubt"),
        ("begun", "ready", 1, "in_doubt"),
        ("begun", "failed", 1, "in_doubt"),
        ("done", "claimed", 2, "done"),
        ("withdrawn", "in_doubt", 1, "withdrawn"),
    ],
)
def test_what_people_are_told(state: StepState, task_state: str, epoch: int, shown: str) -> None:
    """An effect is merely begun while the very attempt that began it runs, and in doubt after it."""
    assert effect_state(record(state), task_state, epoch) == shown


def test_a_derived_key_is_fit_for_a_header() -> None:
    """Whatever tasks and effects are called, the key is plain ASCII without spaces, and another for each of them."""
    key = derived_key("0190", "zahlen[3]", "Überweisung / 1")
    assert key == "0190/zahlen[3]/%C3%9Cberweisung%20/%201"
    assert key.isascii()
    assert derived_key("r", "a", "b") != derived_key("r", "a", "b2")


@pytest.mark.parametrize("wrong", ["", "x" * 201, "a\0", "\ud800", 3, None, b"x"])
def test_what_cannot_be_a_name(wrong: Any) -> None:
    """A name is a short text that every store can keep; a key is one too, or is left out."""
    with pytest.raises(UsageError, match="cannot be the name of a step"):
        checked_name("step", wrong)
    if wrong is not None:
        with pytest.raises(UsageError, match="cannot be the key of the effect 'charge'"):
            checked_key("charge", wrong)
    assert checked_key("charge", None) is None


class Client:
    async def ask(self, question: str) -> Answer:
        return Answer(text=question)

    def __call__(self, question: str) -> list[int]:
        return [len(question)]


def plain(question, number: int = 1):  # type: ignore[no-untyped-def]
    return question


def promising() -> Awaitable[list[str]]:
    raise AssertionError


def running() -> Coroutine[Any, Any, Answer]:
    raise AssertionError


def open_text() -> Nowhere:  # type: ignore[name-defined]  # noqa: F821
    raise AssertionError


@functools.wraps(promising)
def wrapped(*args: Any) -> Any:
    return promising(*args)


@pytest.mark.parametrize(
    ("fn", "type_"),
    [
        (Client().ask, Answer),
        (Client(), list[int]),
        (functools.partial(Client().ask, "x"), Answer),
        (plain, Any),
        (promising, list[str]),
        (running, Answer),
        (wrapped, list[str]),
        (Answer, Answer),
        (len, Any),
        (lambda: 3, Any),
    ],
)
def test_the_form_of_a_result(fn: Any, type_: Any) -> None:
    """It is what the function says that it returns, or what comes of awaiting that; else plain JSON."""
    assert result_schema(fn, "step 'x'").annotation == type_


def test_a_local_type_is_found() -> None:
    """A return annotation may name what only the function's surroundings know."""

    class Local(BaseModel):
        text: str

    def make() -> Local:
        return Local(text="x")

    assert result_schema(make, "step 'x'").annotation is Local


def test_a_result_that_cannot_be_kept_is_refused_beforehand() -> None:
    """Types that cannot cross and annotations that nobody can resolve are told with what to do."""

    def broken() -> BaseException:
        raise AssertionError

    with pytest.raises(DefinitionError, match="the result of step 'x' has the type BaseException"):
        result_schema(broken, "step 'x'")
    with pytest.raises(DefinitionError, match="'Nowhere', which cannot be resolved") as caught:
        result_schema(open_text, "step 'x'")
    assert "Wrap the call in a function of yours" in str(caught.value)


def test_who_gets_the_key() -> None:
    """A function that names the parameter, by keyword; not one that takes anything."""

    def named(amount: int, idempotency_key: str) -> None: ...
    def keyword(*, idempotency_key: str) -> None: ...
    def positional(idempotency_key: str, /) -> None: ...
    def anything(**options: Any) -> None: ...

    assert [takes_key(fn) for fn in (named, keyword, positional, anything, print)] == [
        True,
        True,
        False,
        False,
        False,
    ]
    assert takes_key(functools.partial(named, 3))
    assert not takes_key(dict.get)


def test_a_large_result_is_kept_beside() -> None:
    """Over the limit the record holds no bytes, and the digest of the result is the first that it lists."""
    inner = Artifact.of_digest(digest_of(b"inner"), "text/plain", 5)
    schema = schema_of(list[Any])
    small = keep([inner], schema, "step 'x'")
    assert (small.artifacts, small.is_spilled) == ((inner.digest,), False)
    assert draft("step", "x", kept=small).body == small.data
    large = keep([inner, "long" * 10], schema, "step 'x'", spill_bytes=20)
    assert (large.artifacts, large.is_spilled) == ((digest_of(large.data), inner.digest), True)
    written = draft("step", "x", kept=large)
    assert (written.body, written.artifacts) == (None, large.artifacts)


def test_what_json_does_not_have_is_refused() -> None:
    """A result without annotation is held to plain JSON."""
    with pytest.raises(UnserialisablePayload, match="step 'x'"):
        keep(object(), schema_of(Any), "step 'x'")
