"""A run that was submitted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Generic, TypeVar

from segue.app.controlling import Controlled, Wish
from segue.app.effects import StepView, read_effects
from segue.app.external import record_of, seal_result
from segue.domain.decisions import ControlKind
from segue.domain.envelope.handoff import Handoff
from segue.domain.graph.agent import Agent
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

    async def pause(
        self,
        task: str | None = None,
        *,
        by: str,
        reason: str = "",
        until: str | None = None,
        interrupt: bool = False,
        command: str | None = None,
    ) -> Controlled:
        """
        Let the run, or one task of it, stand still: nothing new starts; what runs may end, and its hand-off is kept.

        `until` names a task of the run: when that has settled, the pause ends by itself. With `interrupt` what runs is
        taken from its workers and begins anew when it goes on. `by` and `reason` are recorded. Under one `command` this
        is done once, however often it is called. Raises `ControlRefused` with what is true now, or `UnknownRun`.
        """
        return await self._control("pause", task, by, reason, command, until=until, interrupt=interrupt)

    async def resume(
        self, task: str | None = None, *, by: str, reason: str = "", command: str | None = None
    ) -> Controlled:
        """
        Let the run, or one task of it, go on after a pause; a task that was to be tried again later is ready at once.

        Raises `ControlRefused` if it is not paused, or `UnknownRun`; the rest is as for `pause`.
        """
        return await self._control("resume", task, by, reason, command)

    async def cancel(
        self, task: str | None = None, *, by: str, reason: str = "", command: str | None = None
    ) -> Controlled:
        """
        Cancel the run, or one task of it: what runs is stopped, and nothing of it is accepted any more.

        Those who need the output of a cancelled task are told as after a failure, and the run fails if it needs it.
        Raises `ControlRefused` for what has ended, or `UnknownRun`; the rest is as for `pause`.
        """
        return await self._control("cancel", task, by, reason, command)

    async def retry(
        self, task: str | None = None, *, by: str, reason: str = "", command: str | None = None
    ) -> Controlled:
        """
        Try again what was given up: a task that failed, is dead or cancelled, or without one all that failed or are
        dead and matter, with whatever was skipped or failed because of them. What is complete stays as it is.

        The answer has the names of the tasks that begin anew. Raises `ControlRefused` if nothing can be tried again, or
        the run still runs, was cancelled, or is past its deadline; the rest is as for `pause`.
        """
        return await self._control("retry", task, by, reason, command)

    async def reassign(
        self,
        task: str,
        to: str | Agent[Any] | None = None,
        *,
        by: str,
        reason: str = "",
        command: str | None = None,
    ) -> Controlled:
        """
        Take a task from the worker that has it, for any worker to claim; `to` names another agent that is to do it.

        What the present attempt makes is refused, and its failures are forgotten. Raises `ControlRefused` if nobody has
        the task, or if `to` is not known or does not take and give the same; the rest is as for `pause`.
        """
        return await self._control("reassign", task, by, reason, command, to=to)

    async def annotate(
        self, task: str | None = None, *, by: str, note: str, command: str | None = None
    ) -> Controlled:
        """Write a note about the run, or one task of it, into the log. The rest is as for `pause`."""
        return await self._control("annotate", task, by, note, command)

    async def _control(
        self, kind: ControlKind, task: str | None, by: str, reason: str, command: str | None, **more: Any
    ) -> Controlled:
        return await self._host.control(Wish(kind, self.run, task, by, reason, command, **more))

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
