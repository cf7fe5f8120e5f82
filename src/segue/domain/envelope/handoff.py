"""
The hand-off as agents see it: what an author fills in, what a receiver finds, and how much of it crosses.

An author makes a draft, `Handoff(output, ...)`; Segue seals it. A receiver gets a `Handoff` whose `sent`
says where it comes from, a `Ref` that fetches on demand, or a `Later` that is awaited while the task runs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Generic, Literal, NamedTuple, NoReturn, TypeVar, cast

from pydantic_core import to_json

from segue.domain.envelope.artifact import Artifact, ArtifactHome
from segue.domain.envelope.body import parts_of
from segue.domain.envelope.sent import Context, Failure, Origin, Sent, Trace, sent_of
from segue.domain.envelope.summary import derive_summary, summary_of
from segue.domain.envelope.usage import Attachment, Usage
from segue.domain.envelope.waiting import Waitable
from segue.domain.rows import StoredHandoff
from segue.errors import InvalidPayload, NoAttemptError

T = TypeVar("T")
Item = TypeVar("Item")

Status = Literal["complete", "failed", "needs_review", "handed_on"]
STATUSES: tuple[Status, ...] = ("complete", "failed", "needs_review")
"""Those that an author may give; what is `handed_on` was made with `HandTo`."""


class Parts(NamedTuple):
    """What a hand-off carries besides its output and its status."""

    summary: str | None = None
    confidence: float | None = None
    decisions: tuple[str, ...] = ()
    constraints: tuple[str, ...] = ()
    artifacts: tuple[Artifact, ...] = ()
    next_step: str | None = None
    usage: Usage | None = None
    attachments: tuple[Attachment, ...] = ()
    summary_derived: bool = True
    error: Failure | None = None
    trace: Trace | None = None


class Received(NamedTuple):
    """How a received hand-off came. `origin` and `upstream` are called only if somebody asks."""

    stored: StoredHandoff
    origin: Callable[[], Origin]
    upstream: Callable[[], Waitable[Context]] | None
    home: ArtifactHome | None


class _Content(Generic[T]):
    """What a hand-off holds. It is apart, so that what is found out later can be kept and nothing else be changed."""

    __slots__ = ("output", "parts", "received", "sent", "status", "summary")

    def __init__(self, output: T, status: str, parts: Parts | None, received: Received | None) -> None:
        self.output = output
        self.status = status
        self.parts = parts
        """None until somebody looks at a part of a received hand-off: many receivers want the output alone."""
        self.received = received
        self.sent: Sent | None = None
        self.summary: str | None = None
        """The summary that was derived, once it was."""


class Handoff(Generic[T]):
    """
    What a task leaves when it ends: the output, and the reasoning that should reach whoever goes on.

    An author gives what it knows and nothing more: `confidence` from 0 to 1, `decisions` that bind those who
    follow, `constraints` for them to keep to, artifacts besides those in the output, the `next_step` that is
    required. What is not given stays empty, except for the summary, which is derived from the output and
    marked so. Everything is checked at once: raises InvalidPayload. It cannot be changed afterwards.
    """

    __slots__ = ("_content",)

    _content: _Content[T]

    def __init__(
        self,
        output: T,
        *,
        summary: str | None = None,
        confidence: float | None = None,
        decisions: Sequence[str] = (),
        constraints: Sequence[str] = (),
        artifacts: Sequence[Artifact] = (),
        next_step: str | None = None,
        status: Status = "complete",
        usage: Usage | None = None,
        attachments: Sequence[Attachment] = (),
    ) -> None:
        if confidence is not None:
            confidence = _checked_confidence(confidence)
        if status not in STATUSES:
            raise InvalidPayload(f"status is {status!r}; it must be one of {', '.join(STATUSES)}")
        if summary is not None:
            _check_is_string("summary", summary)
        if next_step is not None:
            _check_is_string("next_step", next_step)
        if usage is not None and not isinstance(usage, Usage):
            raise InvalidPayload(f"usage is {usage!r}; it must be a Usage(...)")
        parts = Parts(
            summary,
            confidence,
            _checked_items("decisions", decisions, str) if decisions else (),
            _checked_items("constraints", constraints, str) if constraints else (),
            _checked_items("artifacts", artifacts, Artifact) if artifacts else (),
            next_step,
            usage,
            _checked_items("attachments", attachments, Attachment) if attachments else (),
            summary is None,
        )
        object.__setattr__(self, "_content", _Content(output, status, parts, None))

    @property
    def output(self) -> T:
        """What the task gives."""
        return self._content.output

    @property
    def status(self) -> Status:
        """Whether it is complete, has failed, needs a review, or was handed on."""
        return cast(Status, self._content.status)

    @property
    def parts(self) -> Parts:
        """Everything besides output and status, as it was given: a summary only if the author wrote one."""
        content = self._content
        if content.parts is None:
            content.parts = _read_parts(self._arrival())
        return content.parts

    @property
    def summary(self) -> str:
        """The author's summary, or one derived from the output, or from the error."""
        written = self.parts.summary
        if written is not None:
            return written
        content = self._content
        if content.summary is None:
            content.summary = self._derive()
        return content.summary

    @property
    def summary_derived(self) -> bool:
        """Whether the summary was derived and not written by the author."""
        return self.parts.summary_derived

    @property
    def confidence(self) -> float | None:
        """How sure the author is, from 0 to 1, if it says so."""
        return self.parts.confidence

    @property
    def decisions(self) -> tuple[str, ...]:
        """Decisions that bind those who follow."""
        return self.parts.decisions

    @property
    def constraints(self) -> tuple[str, ...]:
        """What those who follow must keep to."""
        return self.parts.constraints

    @property
    def artifacts(self) -> tuple[Artifact, ...]:
        """Artifacts besides those in the output."""
        return self.parts.artifacts

    @property
    def next_step(self) -> str | None:
        """The step that the author requires next."""
        return self.parts.next_step

    @property
    def usage(self) -> Usage | None:
        """What a language model took for the output, where that is known."""
        return self.parts.usage

    @property
    def attachments(self) -> tuple[Attachment, ...]:
        """Typed attachments; those of unknown kinds are passed on untouched."""
        return self.parts.attachments

    @property
    def error(self) -> Failure | None:
        """Why the task failed; None unless `status` is "failed"."""
        return self.parts.error

    @property
    def sent(self) -> Sent:
        """Where this hand-off comes from. Raises NoAttemptError for a draft, which has not been sent."""
        content = self._content
        if content.sent is None:
            received = self._arrival()
            content.sent = sent_of(received.stored, received.origin(), self.parts.trace)
        return content.sent

    @property
    def context(self) -> Context:
        """The goal of the run and this hand-off's own constraints and decisions; see also `upstream`."""
        return Context(self.sent.goal, self.constraints, self.decisions)

    def upstream(self) -> Waitable[Context]:
        """The context with the constraints and decisions of everything on the way here, oldest first."""
        upstream = self._arrival().upstream
        if upstream is None:
            raise NoAttemptError(
                "what is upstream of this hand-off cannot be read: it was not read from a store"
            )
        return upstream()

    def _arrival(self) -> Received:
        received = self._content.received
        if received is None:
            raise NoAttemptError(
                "this hand-off is a draft: it has not been sent",
                remedy="Only a receiver, or segue.run and its handle, see where a hand-off comes from.",
            )
        return received

    def _derive(self) -> str:
        received = self._content.received
        if received is None:
            return derive_summary(to_json(self.output, fallback=str))
        record = received.stored.record
        return summary_of(record, parts_of(record))[0]

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError(f"a hand-off cannot be changed (tried to set {name!r})")

    def __delattr__(self, name: str) -> NoReturn:
        raise AttributeError(f"a hand-off cannot be changed (tried to delete {name!r})")

    def __repr__(self) -> str:
        origin = f" from {self.sent.pointer}" if self._content.received is not None else ""
        return f"<Handoff {self.status}{origin}: {self.summary!r}>"


def receive(output: T, received: Received) -> Handoff[T]:
    """The hand-off that a stored one holds, its output already checked. Its other parts are read when asked for."""
    handoff: Handoff[T] = object.__new__(Handoff)
    object.__setattr__(handoff, "_content", _Content(output, received.stored.record.status, None, received))
    return handoff


def _read_parts(received: Received) -> Parts:
    parts, home = parts_of(received.stored.record), received.home
    get = parts.get
    summary, usage, error, trace = get("summary"), get("usage"), get("error"), get("trace")
    return Parts(
        summary,
        get("confidence"),
        tuple(get("decisions", ())),
        tuple(get("constraints", ())),
        tuple(Artifact(**each, home=home) for each in get("artifacts", ())),
        get("next_step"),
        None if usage is None else Usage(**usage),
        tuple(Attachment(**each) for each in get("attachments", ())),
        summary is None or "summary_derived" in parts,
        None if error is None else Failure(**error),
        None if trace is None else Trace(**trace),
    )


def _checked_confidence(confidence: Any) -> float:
    if type(confidence) not in (int, float) or not 0 <= confidence <= 1:
        raise InvalidPayload(
            f"confidence is {confidence!r}; it must be a number from 0 to 1",
            remedy="Leave it out if it is not known: nothing is invented in its place.",
        )
    return float(confidence)


def _check_is_string(name: str, text: Any) -> None:
    if not isinstance(text, str):
        raise InvalidPayload(f"{name} is {text!r}; it must be a string")


def _checked_items(name: str, items: Any, kind: type[Item]) -> tuple[Item, ...]:
    if type(items) not in (list, tuple) and (isinstance(items, str) or not isinstance(items, Iterable)):
        what = f"the string {items!r}" if isinstance(items, str) else repr(items)
        raise InvalidPayload(f"{name} is {what}; it must be a list", remedy=f"{name}=[{items!r}]")
    checked = tuple(items)
    for item in checked:
        if not isinstance(item, kind):
            wanted = "strings" if kind is str else f"{kind.__name__} values"
            raise InvalidPayload(f"{name} holds {item!r}; it must be a list of {wanted}")
    return checked


class Ref(Generic[T]):
    """A hand-off by its summary and pointer, for a receiver that may not need it: `await ref.fetch()`."""

    __slots__ = ("_fetch", "_handoff")

    def __init__(self, handoff: Handoff[Any], fetch: Waitable[T]) -> None:
        self._handoff = handoff
        self._fetch = fetch

    @property
    def summary(self) -> str:
        """The author's summary, or one derived from the output."""
        return self._handoff.summary

    @property
    def confidence(self) -> float | None:
        """How sure the author is, from 0 to 1, if it says so."""
        return self._handoff.confidence

    @property
    def pointer(self) -> str:
        """What names exactly this hand-off: `segue://RUN/TASK@VERSION`."""
        return self._handoff.sent.pointer

    @property
    def sent(self) -> Sent:
        """Where the hand-off comes from."""
        return self._handoff.sent

    def fetch(self) -> Waitable[T]:
        """The output, read and checked now. Await it, or `.wait()` in a `def` agent."""
        return self._fetch

    def __repr__(self) -> str:
        return f"<Ref {self.pointer}: {self.summary!r}>"


class Later(Waitable[T]):
    """
    An input that its task may start without: await it (or `.wait()`) where it is needed.

    Raises UpstreamFailed there if the source failed or was skipped.
    """

    __slots__ = ()
