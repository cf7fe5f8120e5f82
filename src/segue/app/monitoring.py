"""What a monitor may do: the controls of runs, each done once however often its event is handled."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from segue.app.controlling import Controlled
from segue.app.handle import RunHandle
from segue.domain.envelope.limits import ERROR_MESSAGE_CHARACTERS
from segue.domain.envelope.payload import storable_text
from segue.domain.graph.agent import Agent
from segue.domain.graph.watching import Monitor
from segue.domain.rows import Event
from segue.errors import ControlRefused

if TYPE_CHECKING:
    from segue.app.host import Host


class Control:
    """
    What a monitor is given beside an event. `by` of everything that it does is the monitor.

    Whatever it does is named after the event, what it is, and whom it is for: a monitor that is told of an event again,
    because its worker died, does nothing a second time, and is answered `done before`. What comes too late raises
    `ControlRefused`.
    """

    def __init__(self, host: Host, consumer: str, event: Event) -> None:
        self._host = host
        self._consumer = consumer
        self._event = event
        self._times: Counter[tuple[str, ...]] = Counter()

    async def pause(
        self,
        run: str,
        task: str | None = None,
        *,
        reason: str = "",
        until: str | None = None,
        interrupt: bool = False,
    ) -> Controlled:
        """As `RunHandle.pause`."""
        given = self._given("pause", run, task)
        return await self._handle(run).pause(task, reason=reason, until=until, interrupt=interrupt, **given)

    async def resume(self, run: str, task: str | None = None, *, reason: str = "") -> Controlled:
        """As `RunHandle.resume`."""
        return await self._handle(run).resume(task, reason=reason, **self._given("resume", run, task))

    async def cancel(self, run: str, task: str | None = None, *, reason: str = "") -> Controlled:
        """As `RunHandle.cancel`."""
        return await self._handle(run).cancel(task, reason=reason, **self._given("cancel", run, task))

    async def retry(self, run: str, task: str | None = None, *, reason: str = "") -> Controlled:
        """As `RunHandle.retry`."""
        return await self._handle(run).retry(task, reason=reason, **self._given("retry", run, task))

    async def reassign(
        self, run: str, task: str, to: str | Agent[Any] | None = None, *, reason: str = ""
    ) -> Controlled:
        """As `RunHandle.reassign`."""
        return await self._handle(run).reassign(task, to, reason=reason, **self._given("reassign", run, task))

    async def annotate(self, run: str, task: str | None = None, *, note: str) -> Controlled:
        """As `RunHandle.annotate`."""
        return await self._handle(run).annotate(task, note=note, **self._given("annotate", run, task))

    def _handle(self, run: str) -> RunHandle[Any]:
        return RunHandle(self._host, run, None)

    def _given(self, what: str, run: str, task: str | None) -> dict[str, str]:
        """Who does it, and the name under which it is done once."""
        self._times[what, run, task or ""] += 1
        times = self._times[what, run, task or ""]
        return {
            "by": self._consumer,
            "command": command_of(self._consumer, self._event, what, run, task, times),
        }


class Calling:
    """Handles the events of one monitor."""

    def __init__(self, host: Host, monitor: Monitor[Control]) -> None:
        self._host = host
        self._monitor = monitor

    async def handle(self, event: Event) -> None:
        """Call the monitor. What comes too late is no failure of it, and is told of in the log of the run."""
        control = Control(self._host, self._monitor.consumer, event)
        try:
            await self._monitor.fn(event, control)
        except ControlRefused as refused:
            told = storable_text(refused.message, ERROR_MESSAGE_CHARACTERS)
            await control.annotate(event.run, note=f"came too late: {told}")


def command_of(consumer: str, event: Event, what: str, run: str, task: str | None, times: int) -> str:
    """The name of a command: the same however often the event is handled, and in whatever order things are done."""
    target = run if task is None else f"{run}/{task}"
    return f"{consumer}:{event.run}:{event.sequence}:{what}:{target}:{times}"
