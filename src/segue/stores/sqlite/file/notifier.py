"""
Wake-ups between the processes that share a file.

Each open store has a socket in a folder beside the database, and says so to all that are there when it comes. After a
commit one byte goes to every other socket, without waiting; a slow look at the file's change counter is the net below,
and costs something only while somebody waits.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import uuid
from collections.abc import Callable
from pathlib import Path

from segue.errors import StoreError
from segue.ports.clock import Clock
from segue.stores.waking import LocalNotifier

NET_SECONDS = 1.0
"""How often the file itself is looked at while somebody waits."""

SOON_SECONDS = 0.002
"""How long those who only watch may wait to hear of a claim: its task has often settled by then, and wakes them too."""

_LONGEST_PATH = 100
"""The kernel takes 104 to 108 bytes."""

_HERE_I_AM, _COMMITTED = b"+", b"."


class FileNotifier(LocalNotifier):
    """Wakes this process and all others that have the store open. `data_version` reads the file's change counter."""

    def __init__(self, folder: Path, clock: Clock, data_version: Callable[[], int]) -> None:
        super().__init__(clock)
        self._folder = folder
        self._data_version = data_version
        self._name = f"{uuid.uuid4().hex[:12]}.sock"
        self._loop = asyncio.get_running_loop()
        self._folder_file = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.setblocking(False)
        self._socket.bind(self._address(self._name))
        self._others: set[str] = set()
        self._soon: asyncio.TimerHandle | None = None
        self._loop.add_reader(self._socket.fileno(), self._heard)
        self._list()
        for address in self._others.copy():
            self._send(address, _HERE_I_AM)
        self._net = self._loop.create_task(self._look_slowly(), name="segue-notifier")

    def notify(self) -> None:
        """Wake everybody."""
        super().notify()
        if self._soon is not None:
            self._soon.cancel()
            self._soon = None
        for address in self._others.copy() if self._others else ():
            self._send(address, _COMMITTED)

    def notify_soon(self) -> None:
        """Wake everybody in a moment, unless something is committed before that they must hear of at once."""
        if self._soon is None:
            self._soon = self._loop.call_later(SOON_SECONDS, self.notify)

    async def close(self) -> None:
        """Stop listening."""
        if self._soon is not None:
            self.notify()
        self._net.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._net
        self._loop.remove_reader(self._socket.fileno())
        self._socket.close()
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self._name, dir_fd=self._folder_file)
        os.close(self._folder_file)

    def _list(self) -> None:
        names = os.listdir(self._folder_file)
        self._others = {self._address(name) for name in names if name != self._name}

    def _send(self, address: str, message: bytes) -> None:
        try:
            self._socket.sendto(message, address)
        except BlockingIOError:
            pass  # its queue is full of wake-ups that it has not read yet
        except (ConnectionRefusedError, FileNotFoundError):
            self._others.discard(address)
            with contextlib.suppress(FileNotFoundError):
                os.unlink(os.path.basename(address), dir_fd=self._folder_file)

    def _heard(self) -> None:
        messages = set()
        with contextlib.suppress(BlockingIOError):
            while True:
                messages.add(self._socket.recv(1))
        if _HERE_I_AM in messages:
            self._list()
        self.notify_foreign()

    def _address(self, name: str) -> str:
        path = str(self._folder / name)
        if len(os.fsencode(path)) <= _LONGEST_PATH:
            return path
        return f"/proc/self/fd/{self._folder_file}/{name}"

    async def _look_slowly(self) -> None:
        seen = self._version()
        while True:
            await self._clock.sleep(NET_SECONDS)
            if self.waited_for:
                version = self._version()
                if version is None or version != seen:
                    seen = version
                    self.notify_foreign()

    def _version(self) -> int | None:
        """None if the disk does not say: then whoever waits is to look for himself, and hears why."""
        try:
            return self._data_version()
        except StoreError:
            return None
