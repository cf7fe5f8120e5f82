"""
One child process, as its worker sees it: started, spoken to, killed.

It leads a process group of its own: an interrupt at the terminal does not reach it, and killing the group takes along
what the agent has started. Its end is seen by the operating system and not by what it says, so that a child which
crashed, or was killed by somebody, fails the one call that it had.
"""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Awaitable
from pathlib import Path

from pydantic import ValidationError

from segue.domain.graph.isolation import Target
from segue.engine.children import importing
from segue.engine.children.protocol import (
    FRAME_LIMIT_BYTES,
    HEAD_BYTES,
    PROTOCOL_VERSION,
    Answer,
    Call,
    Done,
    FromChild,
    Load,
    Loaded,
    Ready,
    Request,
    ToChild,
    Withdraw,
    frame_of,
    from_child,
    raised_by,
)
from segue.engine.children.serving import Serving
from segue.errors import PayloadTooLarge, ProcessDied, UsageError

START_SECONDS = 60.0
"""How long a child may take to start and to import an agent's module: none of it counts as run time of the agent."""

LAST_WORDS_SECONDS = 1.0
"""How long what a dead child has sent is still read: something that it started may hold its socket open for ever."""

KILL_SECONDS = 5.0
"""How long the end of a killed child is waited for: the kernel may have it in an uninterruptible read."""

_BOOT = (
    "import sys; sys.path.insert(0, sys.argv.pop()); "
    "from segue.engine.children.child import main; main(int(sys.argv[1]), int(sys.argv[2]))"
)
_ROOT = str(Path(__file__).parents[3])
"""The folder that Segue itself is imported from."""


class Child:
    """A child process and the socket to it. It serves one call at a time; once killed or dead it is of no more use."""

    def __init__(self) -> None:
        self.calls = 0
        self._task = "an agent"
        """What it works on, for errors."""
        self.idle_since = 0.0
        self.targets: set[Target] = set()
        """The agents whose modules it has imported."""
        self._process: asyncio.subprocess.Process | None = None
        self._writer: asyncio.StreamWriter | None = None
        self._said: asyncio.Future[Ready | Loaded | Done] | None = None
        """What the worker waits to hear."""
        self._serving: Serving | None = None
        self._requests: dict[int, asyncio.Task[None]] = {}
        self._death: ProcessDied | None = None
        self._watching: asyncio.Task[None] | None = None

    @property
    def alive(self) -> bool:
        """Whether nothing is known of its end."""
        return self._death is None and (self._process is None or self._process.returncode is None)

    @property
    def pid(self) -> int | None:
        """The process, once there is one."""
        return None if self._process is None else self._process.pid

    async def start(self) -> None:
        """Start the process and wait until it speaks. Raises ProcessDied, UsageError."""
        if importing.get():
            raise UsageError(
                "a module runs agents while a child process imports it, which would start children without end",
                remedy='Put what it does when it is started under `if __name__ == "__main__":`.',
            )
        ours, theirs = socket.socketpair()
        try:
            ours.setblocking(False)
            self._process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-u",  # what an agent prints must not die with it
                "-c",
                _BOOT,
                str(theirs.fileno()),
                str(os.getpid()),
                _ROOT,
                stdin=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
                start_new_session=True,
            )
        except OSError as error:
            ours.close()
            raise ProcessDied(f"no process can be started for an agent: {error}") from error
        except BaseException:
            ours.close()
            raise
        finally:
            theirs.close()
        reader, self._writer = await asyncio.open_connection(sock=ours)
        # In an empty context: that of the attempt which happens to be the first would be kept for as long as this.
        watching = self._watch(self._process, reader)
        self._watching = asyncio.get_running_loop().create_task(watching, context=contextvars.Context())
        ready = await self._starting(self._hear(), "start")
        if not isinstance(ready, Ready) or ready.protocol != PROTOCOL_VERSION:
            raise await self._give_up("speaks another language: was Segue updated since this worker started?")

    async def load(self, target: Target) -> Loaded:
        """Let it import the module of an agent. Raises ProcessDied."""
        self._task = target.name
        self._send(Load(target=target, path=sys.path), "the name of an agent")
        loaded = await self._starting(self._hear(), f"import {target.module!r}")
        if not isinstance(loaded, Loaded):
            raise await self._give_up("answered out of turn")
        if loaded.fault is None:
            self.targets.add(target)
        return loaded

    async def call(self, call: Call, serving: Serving) -> Done:
        """Let it run an agent to its end, and serve what that asks for. Raises ProcessDied, PayloadTooLarge."""
        self._task, self._serving = call.facts.task, serving
        try:
            self._send(call, f"the arguments of {call.facts.task}")
            done = await self._hear()
        finally:
            self._serving = None
            await self._drop_requests()
            await serving.close()
        self.calls += 1
        if not isinstance(done, Done):
            raise await self._give_up("answered out of turn")
        return done

    async def kill(self) -> None:
        """End it and all that it started, whatever it does, and wait until it is gone."""
        self._kill()
        if self._watching is not None:
            await asyncio.wait([self._watching], timeout=KILL_SECONDS)

    def _kill(self) -> None:
        process = self._process
        if process is not None and process.returncode is None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL)

    async def _starting(self, waiting: Awaitable[Ready | Loaded | Done], what: str) -> Ready | Loaded | Done:
        try:
            async with asyncio.timeout(START_SECONDS):
                return await waiting
        except TimeoutError:
            raise await self._give_up(f"did not {what} within {START_SECONDS:g} s") from None

    async def _give_up(self, reason: str) -> ProcessDied:
        """Kill a child that does not do what it should."""
        self._death = self._death or self._died(reason)
        await self.kill()
        return self._death

    def _died(self, how: str) -> ProcessDied:
        return ProcessDied(
            f"the process of {self._task} {how}",
            remedy="What it has printed may say why. `segue show RUN` has its attempts.",
        )

    async def _hear(self) -> Ready | Loaded | Done:
        if self._death is not None:
            raise self._death
        self._said = asyncio.get_running_loop().create_future()
        try:
            return await self._said
        finally:
            self._said = None

    def _send(self, message: ToChild, what: str) -> None:
        if self._writer is not None:
            self._writer.write(frame_of(message, what))

    async def _watch(self, process: asyncio.subprocess.Process, reader: asyncio.StreamReader) -> None:
        """Read what it says until it is dead, and tell whoever waits of its end."""
        reading = asyncio.get_running_loop().create_task(self._read(reader))
        try:
            status = await process.wait()
            await asyncio.wait([reading], timeout=LAST_WORDS_SECONDS)
            self._death = self._death or self._died(_ending(status))
        finally:
            reading.cancel()
            if self._said is not None and not self._said.done() and self._death is not None:
                self._said.set_exception(self._death)
            if self._writer is not None:
                self._writer.close()

    async def _read(self, reader: asyncio.StreamReader) -> None:
        """Hear what it says. What is no message ends it: nothing that it says from then on can be trusted."""
        try:
            while True:
                size = int.from_bytes(await reader.readexactly(HEAD_BYTES), "big")
                if size > FRAME_LIMIT_BYTES:
                    raise ValueError(f"a message of {size:,} bytes")
                self._heard(from_child.validate_json(await reader.readexactly(size)))
        except (ValueError, ValidationError):
            self._death = self._death or self._died("sent what is no message")
        except (asyncio.IncompleteReadError, OSError):
            pass  # it is dead, or has closed the one way to be heard
        self._kill()

    def _heard(self, message: FromChild) -> None:
        match message:
            case Request():
                task = asyncio.get_running_loop().create_task(self._answer(message))
                self._requests[message.request] = task
            case Withdraw():
                answering = self._requests.get(message.request)
                if answering is not None:
                    answering.cancel()
            case _:
                if self._said is None or self._said.done():
                    raise ValueError("a message that nobody waits for")
                self._said.set_result(message)

    async def _answer(self, request: Request) -> None:
        try:
            if self._serving is not None:
                answer = await self._serving.answer(request)
                try:
                    self._send(answer, "the answer to an agent")
                except PayloadTooLarge as error:
                    self._send(Answer(request=request.request, raised=raised_by(error)), "an error")
        finally:
            self._requests.pop(request.request, None)

    async def _drop_requests(self) -> None:
        """Nobody waits any more for what the agent asked."""
        tasks = list(self._requests.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _ending(status: int) -> str:
    """How a process ended, in words."""
    if status >= 0:
        return f"ended by itself with exit code {status}"
    try:
        name = signal.Signals(-status).name
    except ValueError:
        name = f"signal {-status}"
    return f"was killed by {name}{', perhaps for want of memory' if name == 'SIGKILL' else ''}"
