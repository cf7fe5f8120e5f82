"""Reviews as data: who may decide on what an agent hands over, until when, and what happens if nobody does."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

from segue.domain.settings.budgets import optional_seconds
from segue.domain.settings.durations import Duration
from segue.errors import UsageError

Then = Literal["reject", "approve", "escalate"]
"""What becomes of a hand-off on which nobody has decided in time."""

POLICY = "policy"
"""Who has decided where nobody did: no person can be called so."""


@dataclass(frozen=True, slots=True)
class Round:
    """One round of a review, as a graph pins it. No names in `by`: anybody may decide; no expiry: it waits for ever."""

    by: tuple[str, ...] = ()
    expires_seconds: float | None = None
    then: Then = "reject"

    def admits(self, name: str) -> bool:
        """Whether somebody of this name may decide."""
        return not self.by or name in self.by


ANYBODY = Round()
"""The terms of a hand-off that asks for a review although its agent says nothing of one."""


@dataclass(frozen=True, slots=True)
class Review:
    """
    Every hand-off of an agent waits for a person: `@agent(review=Review(by=("alice", "ops"), expires="24h"))`.

    `by` are the names that may decide; without any, whoever gives one. `expires` is how long they have (None: for
    ever), `then` what becomes of a hand-off on which nobody has decided by then: "reject" (the task fails), "approve"
    (it is handed over as it is), or "escalate": it is put to those in `escalate_to`, who get as long again and after
    whom it is rejected. For more than that, `escalate_to` may be a `Review` of its own, and so on. Raises UsageError.
    """

    by: str | Sequence[str] = ()
    expires: Duration | None = None
    then: Then = "reject"
    escalate_to: str | Sequence[str] | Review | None = None

    def __post_init__(self) -> None:
        self.rounds()

    def rounds(self) -> tuple[Round, ...]:
        """The same as plain data: one round after the other."""
        if self.then not in ("reject", "approve", "escalate"):
            raise UsageError(
                f"review: then={self.then!r} is not known", remedy='Use "reject", "approve" or "escalate".'
            )
        expires_seconds = optional_seconds("review: expires", self.expires)
        if expires_seconds is None and self.then != "reject":
            raise UsageError(
                f"review: then={self.then!r} says what happens in the end, and this review has none",
                remedy='Give it one: Review(..., expires="24h").',
            )
        own = Round(_names("by", self.by), expires_seconds, self.then)
        return (own, *self._next_rounds())

    def _next_rounds(self) -> tuple[Round, ...]:
        if (self.then == "escalate") != (self.escalate_to is not None):
            raise UsageError(
                "review: then='escalate' and escalate_to= belong together",
                remedy='Write Review(..., then="escalate", escalate_to=("boss",)).',
            )
        if self.escalate_to is None:
            return ()
        if isinstance(self.escalate_to, Review):
            return self.escalate_to.rounds()
        names = _names("escalate_to", self.escalate_to)
        if not names:
            raise UsageError("review: escalate_to= names nobody", remedy='Name somebody: ("boss",).')
        return Review(names, self.expires).rounds()


def rounds_of(given: Any) -> tuple[Round, ...]:
    """The rounds of a setting; none if there is no review. Raises UsageError."""
    if given is None:
        return ()
    if not isinstance(given, Review):
        raise UsageError(
            f"review={given!r} is no review", remedy='Write review=Review(by=("alice",), expires="24h").'
        )
    return given.rounds()


def rounds_document(rounds: Sequence[Round]) -> list[dict[str, Any]]:
    """Rounds as they stand in a pinned graph."""
    return [asdict(each) | {"by": list(each.by)} for each in rounds]


def rounds_from(document: Sequence[Mapping[str, Any]]) -> tuple[Round, ...]:
    """The rounds behind a document."""
    return tuple(Round(**{**each, "by": tuple(each["by"])}) for each in document)


def _names(field: str, given: Any) -> tuple[str, ...]:
    names = (given,) if isinstance(given, str) else given
    is_list = isinstance(names, Sequence) and all(isinstance(each, str) and each.strip() for each in names)
    if not is_list or POLICY in names:
        raise UsageError(
            f"review: {field}={given!r} is no list of names",
            remedy=f'Write {field}=("alice", "ops"); {POLICY!r} is the name of what decides when nobody does.',
        )
    return tuple(dict.fromkeys(names))
