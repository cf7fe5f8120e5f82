"""A run that was submitted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Generic, TypeVar

from segue.app.effects import read_effects
from segue.app.external import record_of, seal_result
from segue.app.views import StepView
from segue.domain.envelope.handoff import Handoff
from segue.domain.graph.workflow import Built
from segue.domain.records import RunState
from segue.domain.running.steps import DidNotHappen, Happened

if TYPE_CHECKING:
    from segue.app.host import Host

R = TypeVar("R")


class RunHandle(Generic[R]):
    """What to hold on to after `segue.submit`. `run` is the id, by which any process can find the run."""

    def __init__(self, host: Host, run: str, built: Built | None) -> None:
        self._host = host
        self._built = built
        self.run = run

    async def result(self) -> R:
        """
        Wait for the end of the run and return what its workflow returned.

        Raises `RunFailed`, `RunCancelled`, or `ReviewNeeded` when a person has to decide before it can go on.
        """
        return await self._host.result(self.run, self._built)  # type: ignore[no-any-return]

    async def handoff(self, task: str) -> Handoff[Any]:
        """Wait until a task has handed over and return the latest version. Raises `TaskFailed` if it never will."""
        return await self._host.wait_for_handoff(self.run, task)

    async def state(self) -> RunState:
        """Where the run stands."""
        return (await self._host.read_run(self.run)).state

    async def cancel(self, reason: str = "cancelled by its submitter") -> bool:
        """Cancel the run: running agents are cancelled, nothing more is accepted. False if it had ended."""
        return await self._host.cancel(self.run, reason)

    async def retry(self, task: str | None = None, *, reason: str = "") -> tuple[str, ...]:
        """
        Try again what was given up: a task that failed or is dead, or without one all of them that matter, with
        whatever was skipped or failed because of them. What is complete stays as it is.

        Returns the names of the tasks that begin anew; `reason` is recorded. Raises `UsageError` if nothing can be
        tried again, or the run still runs, was cancelled, or is past its deadline.
        """
        return await self._host.retry(self.run, task, reason)

    async def hand_over(self, task: str, result: Any) -> None:
        """
        Hand over for a task whose agent is `external`: a value, or a `Handoff`. The same again is harmless.

        Raises `NotReady` if it waits for others, `TaskTaken` if somebody else works on it, `AlreadyWritten` if
        something else was handed over before, `UsageError` if workers run the task, and `InvalidPayload`.
        """
        external = self._host.external
        place = await external.place_of(self.run, task)
        sealed = await seal_result(self._host, place, result)
        await external.write(place, sealed.digest, record_of(self._host, sealed))

    async def effects(self) -> tuple[StepView, ...]:
        """The effects of all tasks of the run, each with what is on record of it."""
        await self._host.read_run(self.run)
        return await read_effects(self._host.store, self.run)

    async def resolve(
        self, task: str, effect: str, outcome: Happened | DidNotHappen, *, by: str, note: str = ""
    ) -> None:
        """
        Say of an effect in doubt that it happened, and with which result, or that it did not: the task goes on then.

        `by` names the person, and is recorded. Raises `UsageError` if the effect is not in doubt, or not known.
        """
        await self._host.resolve(self.run, task, effect, outcome, by=by, note=note)

    def __repr__(self) -> str:
        return f"RunHandle({self.run!r})"
