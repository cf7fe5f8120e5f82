"""
The hand-off as agents see it: what an author fills in, what a receiver finds, and how much of it crosses.

An author makes a draft, `Handoff(output, ...)`; Segue seals it. A receiver gets a `Handoff` whose `sent`
says where it comes from, a `Ref` that fetches on demand, or a `Later` that is awaited while the task runs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Generic, Literal, NamedTuple, NoReturn, TypeVar, cast

from pydantic_core import to_json

from segue.domain.artifact import Artifact, ArtifactHome
from segue.domain.body import parts_of
from segue.domain.records import StoredHandoff
from segue.domain.sent import Context, Failure, Origin, Sent, Trace, sent_of
from segue.domain.summary import derive_summary, summary_of
from segue.domain.usage import Attachment, Usage
from segue.domain.waiting import Waitable
from segue.errors import InvalidPayload, NoAttemptError

T = TypeVar("T")
Item = TypeVar("Item")

Status = Literal["complete", "failed", "needs_review"]
STATUSES: tuple[Status, ...] = ("complete", "failed", "needs_review")


class Received(NamedTuple):
    """What a received hand-off remembers of how it came. `origin` is called only if somebody asks."""

    stored: StoredHandoff
    origin: Callable[[], Origin]
    trace: Trace | None
    upstream: Callable[[], Waitable[Context]] | None


class Handoff(Generic[T]):
    """
    What a task leaves when it ends: the output, and the reasoning that should reach whoever goes on.

    An author gives what it knows and nothing more: `confidence` from 0 to 1, `decisions` that bind those who
    follow, `constraints` for them to keep to, artifacts besides those in the output, the `next_step` that is
    required. What is not given stays empty, except for the summary, which is derived from the output and
    marked so. Everything is checked at once: raises InvalidPayload. It cannot be changed afterwards.
    """

    __slots__ = (
        "_received",
        "_sent",
        "_summary",
        "artifacts",
        "attachments",
        "confidence",
        "constraints",
        "decisions",
        "error",
        "next_step",
        "output",
        "status",
        "summary_derived",
        "usage",
    )

    output: T
    status: Status
    confidence: float | None
    decisions: tuple[str, ...]
    constraints: tuple[str, ...]
    artifacts: tuple[Artifact, ...]
    next_step: str | None
    usage: Usage | None
    attachments: tuple[Attachment, ...]
    error: Failure | None
    """Why the task failed; None unless `status` is "failed"."""
    summary_derived: bool
    """The summary was derived from the output and not written by the author."""
    _summary: str | None
    _received: Received | None
    _sent: Sent | None

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
        for name, text in (("summary", summary), ("next_step", next_step)):
            if text is not None and not isinstance(text, str):
                raise InvalidPayload(f"{name} is {text!r}; it must be a string")
        if usage is not None and not isinstance(usage, Usage):
            raise InvalidPayload(f"usage is {usage!r}; it must be a Usage(...)")
        _fill(
            self,
            output,
            status,
            summary,
            summary is None,
            confidence,
            _checked_items("decisions", decisions, str) if decisions else (),
            _checked_items("constraints", constraints, str) if constraints else (),
            _checked_items("artifacts", artifacts, Artifact) if artifacts else (),
            next_step,
            usage,
            _checked_items("attachments", attachments, Attachment) if attachments else (),
            None,
            None,
        )

    @property
    def summary(self) -> str:
        """The author's summary, or one derived from the output, or from the error."""
        if self._summary is None:
            object.__setattr__(self, "_summary", self._derive())
        assert self._summary is not None
        return self._summary

    @property
    def sent(self) -> Sent:
        """Where this hand-off comes from. Raises NoAttemptError for a draft, which has not been sent."""
        if self._sent is None:
            received = self._arrival()
            object.__setattr__(self, "_sent", sent_of(received.stored, received.origin(), received.trace))
        assert self._sent is not None
        return self._sent

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
        if self._received is None:
            raise NoAttemptError(
                "this hand-off is a draft: it has not been sent",
                remedy="Only a receiver, or segue.run and its handle, see where a hand-off comes from.",
            )
        return self._received

    def _derive(self) -> str:
        if self._received is None:
            return derive_summary(to_json(self.output, fallback=str))
        record = self._received.stored.record
        return summary_of(record, parts_of(record))[0]

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError(f"a hand-off cannot be changed (tried to set {name!r})")

    def __delattr__(self, name: str) -> NoReturn:
        raise AttributeError(f"a hand-off cannot be changed (tried to delete {name!r})")

    def __repr__(self) -> str:
        origin = f" from {self.sent.pointer}" if self._received is not None else ""
        return f"<Handoff {self.status}{origin}: {self.summary!r}>"


def receive(
    output: T,
    parts: dict[str, Any],
    stored: StoredHandoff,
    origin: Callable[[], Origin],
    upstream: Callable[[], Waitable[Context]] | None,
    home: ArtifactHome | None,
) -> Handoff[T]:
    """The hand-off that a stored one holds: its output, already checked, and its other parts."""
    handoff: Handoff[T] = object.__new__(Handoff)
    get = parts.get
    summary, usage, error, trace = get("summary"), get("usage"), get("error"), get("trace")
    _fill(
        handoff,
        output,
        cast(Status, stored.record.status),
        summary,
        summary is None or "summary_derived" in parts,
        get("confidence"),
        tuple(get("decisions", ())),
        tuple(get("constraints", ())),
        tuple([Artifact(**each, home=home) for each in parts["artifacts"]]) if "artifacts" in parts else (),
        get("next_step"),
        None if usage is None else Usage(**usage),
        tuple([Attachment(**each) for each in parts["attachments"]]) if "attachments" in parts else (),
        None if error is None else Failure(**error),
        Received(stored, origin, None if trace is None else Trace(**trace), upstream),
    )
    return handoff


def _fill(
    handoff: Handoff[T],
    output: T,
    status: Status,
    summary: str | None,
    summary_derived: bool,
    confidence: float | None,
    decisions: tuple[str, ...],
    constraints: tuple[str, ...],
    artifacts: tuple[Artifact, ...],
    next_step: str | None,
    usage: Usage | None,
    attachments: tuple[Attachment, ...],
    error: Failure | None,
    received: Received | None,
) -> None:
    put = object.__setattr__
    put(handoff, "output", output)
    put(handoff, "status", status)
    put(handoff, "_summary", summary)
    put(handoff, "summary_derived", summary_derived)
    put(handoff, "confidence", confidence)
    put(handoff, "decisions", decisions)
    put(handoff, "constraints", constraints)
    put(handoff, "artifacts", artifacts)
    put(handoff, "next_step", next_step)
    put(handoff, "usage", usage)
    put(handoff, "attachments", attachments)
    put(handoff, "error", error)
    put(handoff, "_received", received)
    put(handoff, "_sent", None)


def _checked_confidence(confidence: Any) -> float:
    if type(confidence) not in (int, float) or not 0 <= confidence <= 1:
        raise InvalidPayload(
            f"confidence is {confidence!r}; it must be a number from 0 to 1",
            remedy="Leave it out if it is not known: nothing is invented in its place.",
        )
    return float(confidence)


def _checked_items(name: str, items: Iterable[Any], kind: type[Item]) -> tuple[Item, ...]:
    if isinstance(items, str):
        raise InvalidPayload(
            f"{name} is the string {items!r}; it must be a list", remedy=f"{name}=[{items!r}]"
        )
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
