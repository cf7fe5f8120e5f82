"""
What a worker does for an agent in a child process while that runs: everything that needs the store.

A new call of `ctx` is a new kind of `Ask`, one more case here, and its other end in `relay`.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
from collections.abc import AsyncIterator
from typing import Any

from segue.engine.attempts.attempt import Attempt
from segue.engine.children.packing import Packed
from segue.engine.children.protocol import (
    Answer,
    Ask,
    Confirm,
    Delegate,
    Doubt,
    Fetch,
    GiveBack,
    Put,
    Read,
    Recall,
    Report,
    Request,
    Reserve,
    Settle,
    SettleSpent,
    Upstream,
    Write,
    raised_by,
)
from segue.engine.inputs.binding import Binder
from segue.errors import EffectInDoubt
from segue.ports.artifacts import ArtifactStore, StoredArtifact


class Serving:
    """Answers the requests of one attempt."""

    def __init__(self, attempt: Attempt, packed: Packed, binder: Binder, artifacts: ArtifactStore) -> None:
        self._attempt = attempt
        self._notebook = attempt.notebook
        self._delegating = attempt.delegating
        self._purse = attempt.purse
        self._packed = packed
        self._binder = binder
        self._artifacts = artifacts
        self._uploads: dict[int, _Upload] = {}
        self._downloads: dict[int, AsyncIterator[bytes]] = {}

    async def answer(self, request: Request) -> Answer:
        """Do what was asked. Whatever goes wrong with it is the agent's to hear."""
        try:
            return Answer(request=request.request, value=await self._value(request.ask))
        except Exception as error:  # noqa: BLE001 - the agent waits, and gets it
            return Answer(request=request.request, raised=raised_by(error))

    async def close(self) -> None:
        """Give up what was written or read halfway."""
        for upload in self._uploads.values():
            await upload.give_up()
        for download in self._downloads.values():
            with contextlib.suppress(Exception):
                await download.aclose()  # type: ignore[attr-defined]

    async def _value(self, ask: Ask) -> Any:
        match ask:
            case Fetch(parameter=parameter, number=number):
                return (await self._packed.behind[parameter, number].output()).decode()
            case Upstream(parameter=parameter, number=number):
                return await self._packed.behind[parameter, number].upstream()
            case Settle(parameter=parameter):
                return (await self._binder.awaited(self._attempt, self._packed.later[parameter])).decode()
            case Recall(step=kind, name=name):
                return await self._notebook.recall(kind, name)
            case GiveBack(name=name):
                self._notebook.give_back(name)
            case Write(steps=steps):
                await self._notebook.write(*steps)
            case Report(data=data):
                await self._notebook.report(data)
            case Delegate(sealed=sealed, share=share):
                return (await self._delegating.answer(sealed, None, share)).decode()
            case Reserve(asked=asked):
                return await self._purse.reserve(asked)
            case SettleSpent(name=name, spent=spent):
                await self._purse.settle_spent(name, spent)
            case Confirm():
                await self._notebook.confirm()
            case Doubt(raised=raised):
                self._notebook.doubt(EffectInDoubt(raised.message, remedy=raised.remedy))
            case Put():
                return await self._put(ask)
            case Read(download=download, digest=digest):
                return await self._read(download, digest)
        return None

    async def _put(self, ask: Put) -> StoredArtifact | None:
        upload = self._uploads.get(ask.upload)
        if upload is None:
            upload = self._uploads[ask.upload] = _Upload(self._artifacts)
        await upload.add(base64.b64decode(ask.piece))
        if not ask.last:
            return None
        del self._uploads[ask.upload]
        return await upload.end()

    async def _read(self, download: int, digest: str) -> str | None:
        pieces = self._downloads.setdefault(download, self._artifacts.read(digest))
        piece = await anext(pieces, None)
        if piece is None:
            del self._downloads[download]
            return None
        return base64.b64encode(piece).decode()


class _Upload:
    """An artifact whose pieces come one by one, written as they come."""

    def __init__(self, artifacts: ArtifactStore) -> None:
        self._pieces: asyncio.Queue[bytes | None] = asyncio.Queue(1)
        self._writing = asyncio.get_running_loop().create_task(artifacts.put(self._stream()))

    async def add(self, piece: bytes | None) -> None:
        """Take a piece, when the one before it was. Raises what went wrong with the writing."""
        adding = asyncio.get_running_loop().create_task(self._pieces.put(piece))
        await asyncio.wait({adding, self._writing}, return_when=asyncio.FIRST_COMPLETED)
        adding.cancel()
        if self._writing.done():
            self._writing.result()

    async def end(self) -> StoredArtifact:
        """That was the last piece."""
        await self.add(None)
        return await self._writing

    async def give_up(self) -> None:
        """There will be no more."""
        self._writing.cancel()
        await asyncio.gather(self._writing, return_exceptions=True)

    async def _stream(self) -> AsyncIterator[bytes]:
        while (piece := await self._pieces.get()) is not None:
            yield piece
