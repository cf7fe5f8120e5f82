"""
Every error that Segue raises, in one tree.

    SegueError
    ├── UsageError                a mistake that is found before any work is done
    │   ├── DefinitionError       an agent or a workflow is declared wrongly
    │   ├── StandInError          a stand-in was used as if it were a value (also a TypeError)
    │   ├── GraphError            a graph cannot run; carries every problem at once
    │   ├── InputError            the input of a run does not fit its workflow
    │   ├── LoadError             a module or an object in it cannot be imported
    │   ├── NoAttemptError        `ctx` was used outside an attempt
    │   ├── ControlRefused        a control cannot be carried out as things are; nothing was changed
    │   ├── KeyConflict           a run with this key exists and is a different one
    │   ├── ReviewRefused         a decision on a hand-off that does not count; `reason` says why
    │   └── PoolTooSmall          a pool is not there, or smaller than what one task needs of it
    ├── PayloadError              a value cannot cross a hand-off
    │   ├── InvalidPayload        it does not fit its schema
    │   ├── SchemaDrift           its type changed and its version did not
    │   ├── NewerPayload          it is of a later version than this process can read
    │   ├── UnserialisablePayload it cannot be written as JSON
    │   └── PayloadTooLarge       it is over the limit
    ├── StoreError                the store cannot do what it must; progress stops
    │   ├── StoreUnavailable      it cannot be opened or used
    │   │   └── StoreClosed       this process has not opened it, or has closed it
    │   ├── StoreTooNew           a newer Segue wrote it
    │   ├── StoreFull             the disk is full
    │   ├── StoreCorrupt          what it holds cannot be trusted
    │   └── CursorExpired         a cursor points before what the store still holds
    ├── ArtifactError             an artifact is missing or its bytes changed
    ├── HandOverError             nothing can be handed over for a task from outside
    │   ├── NotReady              it waits for others, or has ended
    │   ├── TaskTaken             somebody else works on it
    │   └── AlreadyWritten        something else was handed over before
    ├── StaleEpoch                this attempt was superseded or revoked; it wrote nothing
    ├── EffectInDoubt             nobody knows whether an effect happened; a person must say
    ├── StaleRead                 the exact version that a claim names cannot be read
    ├── UpstreamFailed            an awaited task failed or was skipped
    ├── UnknownAgent              a task is handed to an agent that is not there
    ├── LoopDetected              a chain of hand-offs runs in circles, or has grown too long
    ├── SpendingExceeded          there is not so much left of a spending budget
    ├── BudgetExceeded            a task ran over one of its budgets (also a TimeoutError)
    ├── DoNotRetry                an agent says that another try would not help
    ├── RetryLater                an agent asks to be tried again, and not before a time
    ├── ProcessDied               the child process of an agent ended before its call
    ├── TaskFailed                a task ended without a usable hand-off
    └── RunError
        ├── UnknownRun            the store has no such run or task
        ├── RunFailed             a run ended and some of its tasks failed
        ├── RunCancelled          a run was cancelled
        └── ReviewNeeded          a run waits for a person's decision

A message names the thing and says what to do about it; `exit_code` is what the command line returns.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Literal

Budget = Literal["queue", "run", "idle", "deadline"]
"""The budgets that a task can run over."""

Guard = Literal["hops", "laps", "depth"]
"""What stops a chain of dynamic hand-offs."""


class SegueError(Exception):
    """The base of all errors of Segue."""

    exit_code = 1

    def __init__(self, message: str, *, remedy: str | None = None) -> None:
        self.message = message
        self.remedy = remedy
        super().__init__(message if remedy is None else f"{message}\n  {remedy}")


class UsageError(SegueError):
    """A mistake in code, command or input, found before any work is done."""

    exit_code = 2


class DefinitionError(UsageError):
    """An agent or a workflow is declared in a way that cannot work."""


class StandInError(UsageError, TypeError):
    """A workflow used a stand-in as if it already were the value."""


class GraphError(UsageError):
    """A graph cannot run. `problems` holds one line for each thing that is wrong."""

    def __init__(self, workflow: str, problems: Sequence[str]) -> None:
        self.workflow = workflow
        self.problems = tuple(problems)
        count = f"{len(self.problems)} problem{'s' if len(self.problems) != 1 else ''}"
        lines = "".join(f"\n  - {problem}" for problem in self.problems)
        super().__init__(f"workflow {workflow!r} cannot run, {count}:{lines}")


class InputError(UsageError):
    """The input of a run does not fit the workflow's parameters."""


class LoadError(UsageError):
    """A module, or an object in it, cannot be imported."""


class NoAttemptError(UsageError):
    """Something that only exists while an agent runs was used elsewhere."""


class ControlRefused(UsageError):
    """Somebody wants something with a run or task that cannot be as things are now. Nothing was changed."""


class KeyConflict(UsageError):
    """A run with this key exists already, with another workflow or input."""


Refusal = Literal["not waiting", "decided", "other digest", "no right", "expired", "no output"]
"""Why a decision on a hand-off does not count."""


class ReviewRefused(UsageError):
    """
    Somebody decided on a hand-off in a way that does not count. `reason` is "not waiting" (nothing of the task waits
    for a decision), "decided" (somebody, or the review's own terms, decided before), "other digest" (what waits is not
    what was shown), "no right" (others may decide), "expired" (it was too late), or "no output" (there is none yet).
    """

    def __init__(self, message: str, *, run: str, task: str, reason: Refusal, remedy: str) -> None:
        self.run = run
        self.task = task
        self.reason = reason
        super().__init__(message, remedy=remedy)


class PoolTooSmall(UsageError):
    """A pool is not there, or has fewer places than one task needs: it would wait for ever."""

    def __init__(self, pool: str, capacity: int, task: str, places: int) -> None:
        self.pool = pool
        self.capacity = capacity
        self.task = task
        self.places = places
        there = f"has {capacity}" if capacity else "is not there"
        super().__init__(
            f"{task} needs {places} of the pool {pool!r}, which {there}",
            remedy=f"Give it as many: `segue pools {pool} {places}`, or `await segue.set_pool({pool!r}, {places})`.",
        )


class PayloadError(SegueError):
    """A value cannot cross a hand-off."""

    exit_code = 3


class InvalidPayload(PayloadError):
    """A value does not fit its schema."""


class SchemaDrift(PayloadError):
    """
    A payload has other fields than those that its version stands for, or a version that goes backwards.

    `fields` are the places that differ, such as `competitors[].name`.
    """

    def __init__(
        self, message: str, *, payload: str, version: str, fields: tuple[str, ...], remedy: str | None = None
    ) -> None:
        self.payload = payload
        self.version = version
        self.fields = fields
        super().__init__(message, remedy=remedy)


class NewerPayload(PayloadError):
    """A value is of a later version than this process can read. `requires` is what could: `Findings@2`."""

    def __init__(self, message: str, *, requires: str, remedy: str | None = None) -> None:
        self.requires = requires
        super().__init__(message, remedy=remedy)


class UnserialisablePayload(PayloadError):
    """A value cannot be written as JSON."""


class PayloadTooLarge(PayloadError):
    """A value is over the size limit of a hand-off."""


class StoreError(SegueError):
    """The store cannot do what it must, so progress stops."""

    exit_code = 4


class StoreUnavailable(StoreError):
    """The store cannot be opened or used."""


class StoreClosed(StoreUnavailable):
    """This process has not opened the store, or has closed it: waiting would not help."""


class StoreTooNew(StoreError):
    """A newer version of Segue wrote this store."""


class StoreFull(StoreError):
    """The disk that holds the store is full."""


class StoreCorrupt(StoreError):
    """What the store holds cannot be trusted."""


class CursorExpired(StoreError):
    """A cursor belongs to another incarnation of the store, or to events that were pruned."""


class ArtifactError(SegueError):
    """An artifact is missing, or its bytes are not those that were written."""

    exit_code = 4


class HandOverError(SegueError):
    """Nothing can be handed over for a task that no worker runs."""


class NotReady(HandOverError):
    """What the task depends on is not there yet, or the task has ended without a hand-off."""


class TaskTaken(HandOverError):
    """Somebody else has claimed the task, and works on it."""


class AlreadyWritten(HandOverError):
    """Something else was handed over for the task before; that stays."""


class StaleEpoch(SegueError):
    """This attempt was superseded or revoked: nothing that it sent was written."""


class EffectInDoubt(SegueError):
    """An earlier attempt began an effect and left no word of its outcome; this one ended without running it again."""


class StaleRead(SegueError):
    """The exact version that a claim names could not be read in time."""


class UpstreamFailed(SegueError):
    """A task that this one waited for failed or was skipped."""


class UnknownAgent(SegueError):
    """A task is to go on with an agent that this worker does not have: `agent`, by name; `known` are those it has."""

    agent: str = ""
    known: tuple[str, ...] = ()


class LoopDetected(SegueError):
    """
    A chain of dynamic hand-offs was stopped. `path` are the agents on it, the refused one last.

    `guard` is what stopped it: "hops" (the path is too long), "laps" (the agent has come again too often) or "depth"
    (delegations inside one another), and `limit` how much of that is allowed.
    """

    guard: Guard = "hops"
    limit: int = 0
    path: tuple[str, ...] = ()


class SpendingExceeded(SegueError):
    """
    There is not so much left of a spending budget as was `asked` for, or has been spent.

    `budget` is the unit, `cap` all there may be spent of it, `spent` and `reserved` what is gone and what others have
    set aside. `account` is the delegation whose share it is; empty for the budget of the run.
    """

    budget = account = ""
    cap = spent = reserved = asked = 0.0


class BudgetExceeded(SegueError, TimeoutError):
    """
    A task ran over one of its budgets: `budget` is "queue", "run", "idle" or "deadline", `seconds` how long it is.

    Of a deadline that a run has set, `seconds` are those that were left when the task could first start.
    """

    def __init__(self, budget: Budget, seconds: float, task: str) -> None:
        self.budget = budget
        self.seconds = seconds
        self.task = task
        told, remedy = _OVERRUNS[budget]
        super().__init__(f"{task} {told.format(f'{seconds:g} s')}", remedy=remedy)


_OVERRUNS: dict[Budget, tuple[str, str]] = {
    "queue": (
        "waited for a worker for longer than its queue budget of {}",
        "Start a worker that has the agent, or give it more time (`queue=`).",
    ),
    "run": (
        "ran for longer than its timeout of {}",
        "Give the agent more time (`timeout=`), or less to do.",
    ),
    "idle": (
        "showed no progress for longer than its idle budget of {}",
        "Report progress more often (`ctx.progress`), or give it more time (`idle=`).",
    ),
    "deadline": (
        "was not done by its deadline of {}",
        "Give it more time (`deadline=`), or less to do.",
    ),
}


class DoNotRetry(SegueError):
    """Raised by an agent whose failure another try cannot mend: `raise DoNotRetry("no such customer")`."""


class RetryLater(SegueError):
    """
    Raised by an agent that should be tried again, but not before `after` has passed: `raise RetryLater("30s")`.

    It counts as a failure like any other: without retries left the task fails.
    """

    def __init__(
        self, after: str | float | timedelta, message: str = "the agent asks to be tried again later"
    ) -> None:
        self.after = after
        super().__init__(message)


class ProcessDied(SegueError):
    """The process in which an isolated agent ran ended before the agent, or could not be started."""


class TaskFailed(SegueError):
    """A task ended without a usable hand-off."""


class RunError(SegueError):
    """A run did not end with a result."""

    def __init__(self, message: str, *, run: str, remedy: str | None = None) -> None:
        self.run = run
        super().__init__(message, remedy=remedy)


class UnknownRun(RunError):
    """The store has no such run, or the run has no such task."""

    exit_code = 2


class RunFailed(RunError):
    """A run ended and some of its tasks failed. `failures` maps each failed task to its reason."""

    exit_code = 5

    def __init__(self, run: str, failures: dict[str, str]) -> None:
        self.failures = failures
        lines = "".join(f"\n  - {task}: {reason}" for task, reason in failures.items())
        super().__init__(
            f"run {run} failed:{lines}", run=run, remedy=f"`segue show {run}` has the tracebacks."
        )


class RunCancelled(RunError):
    """A run was cancelled before it ended."""

    exit_code = 6


class ReviewNeeded(RunError):
    """A run cannot go on until a person has decided on a hand-off."""

    exit_code = 7
