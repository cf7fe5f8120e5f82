"""The settings of an agent as users write them, and what is read from them."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from segue.domain.settings.budgets import RunBudgets, budgets_of, check_within, optional_seconds
from segue.domain.settings.durations import Duration
from segue.domain.settings.node_settings import (
    LOSSES,
    Isolation,
    NodeSettings,
    OnFailure,
    OnLoop,
    OnOverrun,
)
from segue.domain.settings.pools import Pool, pools_of
from segue.domain.settings.retrying import Retry, RetryPolicy, checked_count
from segue.domain.settings.reviewing import Review, rounds_of
from segue.domain.settings.spending import Spending
from segue.errors import UsageError

if TYPE_CHECKING:
    from segue.domain.graph.agent import Agent


@dataclass(frozen=True, slots=True)
class Quorum:
    """
    `on_failure=Quorum(2)`: start as soon as two of the inputs are there, each element of a mapped one counted.

    Raises UsageError for a count that is no number from 1.
    """

    count: int

    def __post_init__(self) -> None:
        checked_count("Quorum", self.count, 1)


class RunBounds(RunBudgets, total=False):
    """
    What a run may set for all its tasks: their budgets, how often a task may be handed on (`hops`), and how often one
    agent may come again on the way (`laps`).
    """

    hops: int
    laps: int


class RunSettings(RunBounds, total=False):
    """The same, and what the run may spend in all."""

    budget: Spending


class CallSettings(RunBounds, total=False):
    """
    The settings that a call may give anew with `agent.with_(...)`.

    `timeout` is how long an attempt may run, `idle` how long it may show no progress, `queue` how long a task may wait
    for a worker, `deadline` how long all of it may take from when it could first start. `on_overrun` says whether a
    budget that ran out is tried again like a failure ("reassign") or not ("fail"). `retries` is how often a failed
    attempt is repeated: a number, the first time after `backoff` (None: at once), then after twice that and so on; or a
    `Retry`. After that `fallback` gets the task, an agent that takes and gives the same. `losses` is how often a task
    may be lost with its worker before it is given up. `on_failure` says what becomes of the task when what it needs has
    failed. `takes` is how long an attempt usually runs, for checking deadlines. A `speculative` agent may start before
    its input is committed, in the same process. `decisions="required"` refuses hand-offs without decisions.
    `isolation="process"` runs the agent in a child process of the worker, which can be killed where a thread cannot.
    `review` lets every complete hand-off of the agent wait for a person's decision.
    `hops` is how often a task of the agent may be handed on, `laps` how often one agent may come again on the way, and
    `on_loop="review"` asks a person where `"fail"` gives the task up.
    `pool="gpu"` takes a place in a pool for as long as the agent runs, `pools={"gpu": 1, "licence": 2}` takes places in
    several, all of them or none.
    An attempt that runs for longer than `slow` goes on, and an event `task.AGENT.slow` says so.
    """

    deadline: Duration | None
    on_overrun: OnOverrun
    retries: int | Retry
    backoff: Duration | None
    losses: int
    fallback: Agent[Any] | None
    on_failure: OnFailure | Quorum
    takes: Duration | None
    speculative: bool
    decisions: Literal["required"] | None
    isolation: Isolation
    review: Review | None
    on_loop: OnLoop
    pool: str | None
    pools: Mapping[str, int | Pool] | None
    slow: Duration | None


class Settings(CallSettings, total=False):
    """
    The settings of an agent: those of a call, its name and version, and how many run at once in a worker.

    An `external` agent is run by no worker: its tasks are handed over by whoever does them (`handle.hand_over`).
    """

    name: str | None
    version: str
    concurrency: int | None
    external: bool


_OF_WORKERS = (
    "timeout",
    "idle",
    "retries",
    "backoff",
    "speculative",
    "isolation",
    "slow",
    "takes",
    "concurrency",
    "pool",
    "pools",
)
"""Settings that say how a worker runs an agent, and so say nothing of an external one."""


def read_settings(given: Mapping[str, Any]) -> NodeSettings:
    """What settings say about running a node. Raises UsageError naming the value and the remedy."""
    external = _one_of(given, "external", (False, True))
    for name in _OF_WORKERS if external else ():
        if name in given:
            raise UsageError(
                f"{name}= stands beside external=True, and no worker runs that", remedy=f"Leave {name}= out."
            )
    budgets = budgets_of(given)
    takes_seconds = optional_seconds("takes", given.get("takes"))
    for whole in ("timeout", "deadline"):
        check_within("takes", takes_seconds, whole, budgets)
    on_failure = given.get("on_failure", "skip")
    quorum = on_failure.count if isinstance(on_failure, Quorum) else None
    return NodeSettings(
        budgets=budgets,
        retry=_retry(given),
        takes_seconds=takes_seconds,
        speculative=_one_of(given, "speculative", (False, True)),
        decisions_required=_one_of(given, "decisions", (None, "required")) == "required",
        isolation=_one_of(given, "isolation", ("thread", "process")),
        on_overrun=_one_of(given, "on_overrun", ("reassign", "fail")),
        losses=checked_count("losses", given.get("losses", LOSSES), 1),
        on_failure=_one_of(given, "on_failure", ("skip", "fail", "proceed")) if quorum is None else "proceed",
        quorum=quorum,
        review=rounds_of(given.get("review")),
        hops=optional_count(given, "hops"),
        laps=optional_count(given, "laps"),
        on_loop=_one_of(given, "on_loop", ("fail", "review")),
        pools=pools_of(given),
        slow_seconds=optional_seconds("slow", given.get("slow")),
        external=external,
    )


def optional_count(given: Mapping[str, Any], name: str) -> int | None:
    """A count from 0 among settings, None if it is not given. Raises UsageError."""
    return checked_count(name, given[name], 0) if name in given else None


def refuse_others(given: Mapping[str, Any], known: Collection[str]) -> None:
    """Refuse settings that there are not. Raises UsageError."""
    for name in given:
        if name not in known:
            raise UsageError(f"there is no setting {name!r} here", remedy=f"There are: {', '.join(known)}.")


def _retry(given: Mapping[str, Any]) -> RetryPolicy:
    retries = given.get("retries", 0)
    if not isinstance(retries, Retry):
        return RetryPolicy(
            retries=checked_count("retries", retries, 0),
            backoff_seconds=optional_seconds("backoff", given.get("backoff", "1s")) or 0.0,
        )
    if "backoff" in given:
        raise UsageError(
            "backoff= stands beside a Retry, which has its own", remedy="Write Retry(..., backoff=...)."
        )
    return retries.policy()


def _one_of(given: Mapping[str, Any], name: str, choices: tuple[Any, ...]) -> Any:
    value = given.get(name, choices[0])
    if any(value is each or (isinstance(value, str) and value == each) for each in choices):
        return value
    quorum = " or Quorum(n)" if name == "on_failure" else ""
    raise UsageError(
        f"{name}={value!r} is not known", remedy=f"Use {' or '.join(map(repr, choices))}{quorum}."
    )
