"""
The child's end: what an agent asks of its attempt goes to the worker as a request, and the answer comes back.

`Relay` has the faces that an attempt, its notebook and the artifacts have in the worker: the agent sees no difference.
"""

from __future__ import annotations

import asyncio
import base64
import itertools
import socket
import threading
from collections.abc import AsyncIterable, AsyncIterator, Callable
from typing import Any

from pydantic import TypeAdapter

from segue.domain.envelope.hand_to import HandTo
from segue.domain.envelope.sealing import Sealed
from segue.domain.envelope.sent import Context
from segue.domain.envelope.waiting import Block
from segue.domain.records import Amounts
from segue.domain.rows import StepKind, StepRecord
from segue.engine.abilities.notebook import Notebook
from segue.engine.abilities.spending import Purse
from segue.engine.attempts.attempt import Facts
from segue.engine.children.protocol import (
    HEAD_BYTES,
    Answer,
    Ask,
    Confirm,
    Delegate,
    Doubt,
    Fetch,
    GiveBack,
    Message,
    Put,
    Read,
    Recall,
    Report,
    Request,
    Reserve,
    Settle,
    SettleSpent,
    ToChild,
    Upstream,
    Withdraw,
    Write,
    error_of,
    frame_of,
    raised_by,
    to_child,
)
from segue.errors import EffectInDoubt, NoAttemptError
from segue.ports.artifacts import StoredArtifact

_STEP: TypeAdapter[StepRecord | None] = TypeAdapter(StepRecord | None)

PIECE_BYTES = 1024 * 1024
"""How much of an artifact is sent at a time: the worker has it in memory twice."""


class Line:
    """The socket to the worker, and the thread that listens on it and hears its end whatever the agent does."""

    def __init__(self, descriptor: int) -> None:
        self._socket = socket.socket(fileno=descriptor)
        self._socket.set_inheritable(False)
        self._sending = threading.Lock()

    def send(self, message: Message, what: str) -> None:
        """Send a message, from any thread. Raises PayloadTooLarge."""
        frame = frame_of(message, what)
        with self._sending:
            self._socket.sendall(frame)

    def listen(self, heard: Callable[[ToChild], None], ended: Callable[[], None]) -> None:
        """Hear messages in a thread of their own until the worker is gone."""

        def run() -> None:
            try:
                while True:
                    size = int.from_bytes(self._exactly(HEAD_BYTES), "big")
                    heard(to_child.validate_json(self._exactly(size)))
            finally:
                ended()

        threading.Thread(target=run, name="segue-worker-line", daemon=True).start()

    def _exactly(self, size: int) -> bytes:
        data = bytearray(size)
        view, filled = memoryview(data), 0
        while filled < size:
            count = self._socket.recv_into(view[filled:])
            if count == 0:
                raise EOFError
            filled += count
        return bytes(data)


class Relay:
    """The attempt of one call, as its agent sees it."""

    def __init__(self, line: Line, facts: Facts, block: Block) -> None:
        self.block = block
        self._line = line
        self._facts = facts
        self._numbers = itertools.count(1)
        self._asked: dict[int, asyncio.Future[Any]] = {}
        self._loop = asyncio.get_running_loop()
        self._ended = False

    @property
    def facts(self) -> Facts:
        """What `ctx` tells."""
        return self._facts

    @property
    def notebook(self) -> Notebook:
        """What the task remembers."""
        return self

    def end(self) -> None:
        """The call is over: what it left running may ask nothing more."""
        self._ended = True

    def answered(self, answer: Answer) -> None:
        """Take an answer, from the thread that heard it."""
        self._loop.call_soon_threadsafe(self._take, answer)

    def _take(self, answer: Answer) -> None:
        asked = self._asked.pop(answer.request, None)
        if asked is None or asked.done():
            return
        if answer.raised is None:
            asked.set_result(answer.value)
        else:
            asked.set_exception(error_of(answer.raised))

    async def ask(self, ask: Ask) -> Any:
        """Ask the worker and wait for its answer. Raises what the worker would have raised."""
        number = next(self._numbers)
        asked = self._asked[number] = self._loop.create_future()
        try:
            self._send(number, ask)
            return await asked
        except asyncio.CancelledError:
            self._line.send(Withdraw(request=number), "")
            raise
        finally:
            self._asked.pop(number, None)

    def _send(self, number: int, ask: Ask) -> None:
        if self._ended:
            raise NoAttemptError(
                f"the attempt of {self._facts.task} has ended",
                remedy="Await everything that an agent starts before it returns.",
            )
        self._line.send(Request(request=number, ask=ask), f"a request of {self._facts.task}")

    async def fetch(self, parameter: str, index: int) -> bytes:
        """The JSON of the output behind a `Ref`."""
        return str(await self.ask(Fetch("fetch", parameter, index))).encode()

    async def settle(self, parameter: str) -> bytes:
        """The JSON that a `Later` waits for."""
        return str(await self.ask(Settle("settle", parameter))).encode()

    async def upstream(self, parameter: str, index: int) -> Context:
        """The context of everything upstream of a received hand-off."""
        goal, constraints, decisions = await self.ask(Upstream("upstream", parameter, index))
        return Context(goal, tuple(constraints), tuple(decisions))

    async def recall(self, kind: StepKind, name: str) -> StepRecord | None:
        """What an earlier attempt has left under a name, which is taken now."""
        return _STEP.validate_python(await self.ask(Recall("recall", kind, name)))

    def give_back(self, name: str) -> None:
        """The name is free again."""
        self._send(next(self._numbers), GiveBack("give_back", name))

    async def write(self, *steps: StepRecord) -> None:
        """Write drafts down, durably."""
        await self.ask(Write("write", steps))

    async def report(self, data: str) -> None:
        """Say how far the agent is."""
        await self.ask(Report("report", data))

    async def delegate(self, sealed: Sealed, given: HandTo | None, share: Amounts | None) -> bytes:
        """Let another agent answer. The worker knows it by its name."""
        return str(await self.ask(Delegate("delegate", sealed, share))).encode()

    @property
    def purse(self) -> Purse:
        """What the task may spend."""
        return self

    async def reserve(self, asked: Amounts) -> str | None:
        """Set amounts aside."""
        name: str | None = await self.ask(Reserve("reserve", asked))
        return name

    async def settle_spent(self, name: str, spent: Amounts) -> None:
        """Say what was spent in the place of a reservation."""
        await self.ask(SettleSpent("settle_spent", name, spent))

    async def confirm(self) -> None:
        """See that the inputs are durable and the task is still the attempt's own."""
        await self.ask(Confirm("confirm"))

    def doubt(self, error: EffectInDoubt) -> None:
        """The attempt is to end in doubt. The worker does this before it hears of the call's end."""
        self._send(next(self._numbers), Doubt("doubt", raised_by(error)))

    async def put(self, content: bytes | AsyncIterable[bytes]) -> StoredArtifact:
        """Store an artifact, piece by piece."""
        upload = next(self._numbers)
        async for piece in _pieces_of(content):
            await self.ask(Put("put", upload, base64.b64encode(piece).decode(), last=False))
        return StoredArtifact(*await self.ask(Put("put", upload, "", last=True)))

    async def read(self, digest: str) -> AsyncIterator[bytes]:
        """The pieces of an artifact, verified at the end."""
        download = next(self._numbers)
        while (piece := await self.ask(Read("read", download, digest))) is not None:
            yield base64.b64decode(piece)

    async def get(self, digest: str) -> bytes:
        """All the bytes of an artifact, verified."""
        return b"".join([piece async for piece in self.read(digest)])


async def _pieces_of(content: bytes | AsyncIterable[bytes]) -> AsyncIterator[bytes]:
    if isinstance(content, bytes | bytearray | memoryview):
        for start in range(0, len(content), PIECE_BYTES):
            yield bytes(content[start : start + PIECE_BYTES])
        return
    async for piece in content:
        yield piece
