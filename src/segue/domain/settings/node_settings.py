"""What is decided about running a node before it runs, as a graph pins it: plain data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Literal

from segue.domain.records import Need, Pools
from segue.domain.settings.budgets import DEFAULT_BUDGETS, NO_BUDGETS, Budgets
from segue.domain.settings.retrying import RetryPolicy
from segue.domain.settings.reviewing import Round, rounds_document, rounds_from

OnOverrun = Literal["reassign", "fail"]
Isolation = Literal["thread", "process"]
"""Where an agent runs: in the worker itself (an `async def` in its event loop), or in a child process of it."""

OnFailure = Literal["skip", "fail", "proceed"]
OnLoop = Literal["fail", "review"]
"""What becomes of a task whose chain of hand-offs was stopped: it fails, or a person is asked."""

LOSSES = 5
"""
How often a task may be lost with its worker before it is given up: innocent ones are lost once or twice when machines
go down, and one that kills whatever runs it must not take the whole fleet along.
"""


@dataclass(frozen=True, slots=True)
class NodeSettings:
    """
    What the agent's declaration and the call say about running a node.

    `budgets` are those that they set; the rest is left to the run. `on_failure` says what becomes of the node when what
    it needs was not handed over; with a `quorum` it proceeds as soon as so many of its inputs are there. `losses` is
    how often it may be lost with its worker. `hops` and `laps` bound how it may be handed on; None leaves that to the
    run. `pools` are the places that it takes. An attempt that runs for longer than `slow_seconds` is told of. What is
    `external` is settled by whoever does it, and no worker runs it.
    """

    budgets: Budgets = field(default_factory=lambda: NO_BUDGETS)
    retry: RetryPolicy = field(default_factory=RetryPolicy)
    takes_seconds: float | None = None
    speculative: bool = False
    decisions_required: bool = False
    isolation: Isolation = "thread"
    on_overrun: OnOverrun = "reassign"
    losses: int = LOSSES
    on_failure: OnFailure = "skip"
    quorum: int | None = None
    hops: int | None = None
    laps: int | None = None
    on_loop: OnLoop = "fail"
    slow_seconds: float | None = None
    external: bool = False
    review: tuple[Round, ...] = ()
    """The rounds of the review that each of its hand-offs has; none if it has none."""
    pools: Pools = ()


_DEFAULTS = {"hops": None, "laps": None, "on_loop": "fail", "slow_seconds": None, "external": False}
"""Settings that a pinned graph leaves out where they are the default, as those did that were written before them."""


def settings_document(settings: NodeSettings) -> dict[str, Any]:
    """Settings as they stand in a pinned graph: one flat object, without budgets, review and pools that nobody set."""
    document: dict[str, Any] = dict(settings.budgets)
    for part in (settings.retry, settings):
        document |= {
            each.name: getattr(part, each.name)
            for each in fields(part)
            if each.name not in ("budgets", "retry", "review", "pools")
        }
    if settings.review:
        document["review"] = rounds_document(settings.review)
    if settings.pools:
        document["pools"] = settings.pools
    return {
        name: value for name, value in document.items() if name not in _DEFAULTS or value != _DEFAULTS[name]
    }


def settings_from(document: Mapping[str, Any]) -> NodeSettings:
    """The settings behind a document; one that an older Segue wrote lacks what it did not know."""
    budgets = {name: document[name] for name in DEFAULT_BUDGETS if name in document}
    of_retry = {each.name for each in fields(RetryPolicy)}
    retry: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value
        for name, value in document.items()
        if name in of_retry
    }
    rest = {name: value for name, value in document.items() if name not in budgets and name not in retry}
    rest["review"] = rounds_from(document.get("review", ()))
    rest["pools"] = tuple(Need(*each) for each in document.get("pools", ()))
    return NodeSettings(budgets=budgets, retry=RetryPolicy(**retry), **rest)
