"""Durable readers of the log: how far each has got, who reads for it at present, and what it came to grief on."""

from __future__ import annotations

from typing import Literal, NamedTuple

Since = Literal["start", "now"]
"""Where a consumer begins when the store first meets it: with the first event it still holds, or with what comes."""


class ConsumerToken(NamedTuple):
    """The right of one worker to handle events for a consumer, and to say how far that has got."""

    consumer: str
    epoch: int
    claim: str


class ConsumeRequest(NamedTuple):
    """
    A worker asks to handle events for a consumer, because it has seen one that is meant for it: `wanted` is its cursor.

    `claim` is a fresh id, so that the request can be repeated.
    """

    consumer: str
    worker: str
    claim: str
    lease_seconds: float
    wanted: str


class Consumed(NamedTuple):
    """
    The answer: everything up to `cursor` is done with.

    Without a `token` the event that is wanted was passed (`wait_seconds` is 0), somebody else handles events at present
    or the next try is not due (for so long, if nothing is heard before), or a person has to decide (None). `failures`
    is how often the event that comes next could not be handled.
    """

    token: ConsumerToken | None
    cursor: str
    wait_seconds: float | None = 0.0
    failures: int = 0


class Trouble(NamedTuple):
    """
    An event that could not be handled: it is tried again after `delay_seconds`, or (None) when a person says so.

    `cursor` is that of the event and `run` its run, whose log says what happened: `name` and `data`. `data` is kept as
    the consumer's error.
    """

    token: ConsumerToken
    cursor: str
    run: str
    name: str
    data: str
    delay_seconds: float | None


class ConsumerRecord(NamedTuple):
    """
    A consumer as it is stored: it is done with `position` events of the store, as they are counted, and `lag` are left.

    `failures` counts how often the event that comes next could not be handled, `error` is the JSON of the last time. A
    `parked` consumer handles nothing before a person has decided.
    """

    name: str
    cursor: str
    position: int
    lag: int
    worker: str | None
    failures: int
    parked: bool
    error: str | None


def consumer_event(consumer: str, what: str) -> str:
    """The name of an event about a consumer, in the log of the run whose event it is about."""
    return f"consumer.{consumer}.{what}"
