"""
The main of a child process: imports agents, and runs one call after another.

It ends with its worker, whatever the agent does: the kernel kills it where it can (Linux), and everywhere the thread
that listens to the worker does when it hears that the worker is gone.
"""

from __future__ import annotations

import asyncio
import contextvars
import ctypes
import importlib
import os
import queue
import signal
import sys
from types import FrameType
from typing import Any

from segue.domain.envelope.artifact import artifact_home
from segue.domain.envelope.hand_to import seal_result
from segue.domain.envelope.redaction import secrets_of
from segue.domain.graph.agent import Agent
from segue.domain.graph.isolation import Target, agent_at
from segue.domain.running.faults import Fault, fault_of
from segue.domain.settings.node_settings import OnOverrun
from segue.engine.attempts.attempt import current_attempt
from segue.engine.attempts.threads import Threads
from segue.engine.children import importing
from segue.engine.children.opening import opened
from segue.engine.children.protocol import PROTOCOL_VERSION, Answer, Call, Done, Load, Loaded, Ready, ToChild
from segue.engine.children.relay import Line, Relay
from segue.engine.inputs.home import Home
from segue.errors import DefinitionError
from segue.ports.clock import SystemClock

_PR_SET_PDEATHSIG = 1


def main(descriptor: int, worker: int) -> None:
    """Serve the worker process at the other end of a socket until it is gone."""
    del sys.argv[1:]
    _die_with(worker)
    _leave_signals_to_the_worker()
    Child(Line(descriptor)).serve()


class Child:
    """What a child process knows: its worker, and the agents that it has imported."""

    def __init__(self, line: Line) -> None:
        self._line = line
        self._inbox: queue.SimpleQueue[Load | Call] = queue.SimpleQueue()
        self._agents: dict[Target, Agent[Any]] = {}
        self._threads = Threads(1)
        self._secrets = secrets_of(os.environ)
        self._clock = SystemClock()
        self._relay: Relay | None = None

    def serve(self) -> None:
        """Do what the worker says, for ever. Nothing runs between two calls."""
        self._line.listen(self._heard, _end_all)
        self._line.send(Ready(protocol=PROTOCOL_VERSION), "")
        with asyncio.Runner() as runner:
            while True:
                message = self._inbox.get()
                if isinstance(message, Load):
                    self._line.send(self._load(message), "")
                    continue
                try:
                    # A fresh context, so that no call inherits the context variables of the one before.
                    done = runner.run(self._run(message), context=contextvars.Context())
                except asyncio.CancelledError as error:  # the agent cancelled itself and then returned
                    done = Done(fault=self._fault_of(error, message.on_overrun, called=True))
                self._line.send(done, f"the result of {message.facts.task}")

    def _heard(self, message: ToChild) -> None:
        if not isinstance(message, Answer):
            self._inbox.put(message)
        elif self._relay is not None:
            self._relay.answered(message)

    def _load(self, load: Load) -> Loaded:
        target = load.target
        sys.path[:] = load.path
        mark = importing.set(True)
        try:
            found = agent_at(importlib.import_module(target.module), target)
            if found is None:
                raise DefinitionError(f"there is no function {target.qualname!r} in module {target.module!r}")
        except BaseException as error:  # noqa: BLE001 - whatever an import does, it is told to the worker
            wrong = DefinitionError(
                f"the process of agent {target.name!r} cannot import {target.module!r}: "
                f"{type(error).__name__}: {error}",
                remedy="It must be possible to import the module by itself, in a fresh process.",
            )
            wrong.__cause__ = error
            return Loaded(fault=self._fault_of(wrong, "reassign", called=False))
        finally:
            importing.reset(mark)
        self._agents[target] = found
        return Loaded(fault=None)

    async def _run(self, call: Call) -> Done:
        agent = self._agents[call.target]
        relay = self._relay = Relay(self._line, call.facts, self._threads.block)
        home = Home(relay, self._threads)
        current_attempt.set(relay)
        artifact_home.set(home)
        called = False
        try:
            arguments = opened(agent, call, relay, home)
            called = True
            result = await self._called(agent, arguments)
            return Done(
                sealed=seal_result(
                    result,
                    agent.output_schema,
                    where=call.facts.task,
                    decisions_required=call.decisions_required,
                    agent=call.substitute,
                )
            )
        except BaseException as error:  # noqa: BLE001 - whatever an agent raises ends its call and not the process
            return Done(fault=self._fault_of(error, call.on_overrun, called=called))
        finally:
            relay.end()

    async def _called(self, agent: Agent[Any], arguments: dict[str, Any]) -> Any:
        if agent.signature.is_async:
            return await agent.fn(**arguments)
        return await self._threads.call(agent.fn, arguments)

    def _fault_of(self, error: BaseException, on_overrun: OnOverrun, *, called: bool) -> Fault:
        return fault_of(error, self._secrets, on_overrun, self._clock.wall(), called=called)


def _die_with(worker: int) -> None:
    """Let the kernel kill this process when the worker ends, where it can; and end now if it has ended already."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != worker:
        _end_all()


def _end_all() -> None:
    """End this process and what it has started."""
    os.killpg(0, signal.SIGKILL)


def _leave_signals_to_the_worker() -> None:
    """
    A supervisor that stops a service signals all its processes, and what becomes of an attempt is the worker's to say.

    The signals are caught and not ignored, because what a process ignores its own children ignore too.
    """
    for each in (signal.SIGTERM, signal.SIGINT):
        signal.signal(each, _unheard)
    os.register_at_fork(after_in_child=_default_signals)


def _unheard(signal_number: int, frame: FrameType | None) -> None:
    """The worker decides."""


def _default_signals() -> None:
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
