"""
A model of a disk that may lose whatever was not synced.

From any place in the order of what was done to it (`tests.disk.layer` writes that down), the disk can be rebuilt as a
power cut may have left it: what was synced is there, and of the rest nothing, all, or any 512 bytes of it. The same
holds for the names in a folder, until the folder itself is synced.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from random import Random  # noqa: TID251 (with a seed)
from typing import Literal, NamedTuple

SECTOR = 512
Survives = Literal["nothing", "all", "some"]
"""What is left of that which was not synced."""


class Write(NamedTuple):
    """Bytes were written to a file."""

    file: int
    offset: int
    data: bytes


class Truncate(NamedTuple):
    """A file was made so long."""

    file: int
    size: int


class Sync(NamedTuple):
    """A file was synced: what had been done to it before that began, after `begun` operations of all."""

    file: int
    begun: int


class Drop(NamedTuple):
    """
    A sync failed, and the kernel has thrown away what it could not write: pages that a later sync will not speak of.

    The file still reads as it was written, until the power goes.
    """

    file: int
    begun: int


class Name(NamedTuple):
    """A name in a folder stands for a file from now on, for a folder (-1), or for nothing (None)."""

    path: Path
    file: int | None


class SyncFolder(NamedTuple):
    """A folder was synced: its names will be there."""

    path: Path


Operation = Write | Truncate | Sync | Drop | Name | SyncFolder
FOLDER = -1


@dataclass
class Contents:
    """The bytes of a file by sector, without those that are zero; and what may still be lost."""

    sectors: dict[int, bytes] = field(default_factory=dict)
    size: int = 0
    unsynced: list[tuple[int, Write | Truncate]] = field(default_factory=list)
    """What was done since the last sync, each with its place in the order of everything."""

    def copy(self) -> "Contents":
        """A copy that can be changed."""
        return Contents(self.sectors.copy(), self.size, self.unsynced.copy())

    def sync(self, begun: int) -> None:
        """Whatever was done before that place is there from now on."""
        later = [each for each in self.unsynced if each[0] >= begun]
        self.unsynced = [each for each in self.unsynced if each[0] < begun]
        self.settle(lambda: True)
        self.unsynced = later

    def drop(self, begun: int) -> None:
        """Whatever was done before that place and not synced will never be there."""
        self.unsynced = [each for each in self.unsynced if each[0] >= begun]

    def settle(self, survives: Callable[[], bool]) -> None:
        """Decide for each sector that was not synced whether it is there."""
        for _, operation in self.unsynced:
            if isinstance(operation, Truncate):
                if survives():
                    self.truncate(operation.size)
                continue
            for at in range(0, len(operation.data), SECTOR):
                if survives():
                    self.write(operation.offset + at, operation.data[at : at + SECTOR])
        self.unsynced.clear()

    def truncate(self, size: int) -> None:
        """Make it so long."""
        self.size = size
        last, rest = divmod(size, SECTOR)
        self.sectors = {number: each for number, each in self.sectors.items() if number * SECTOR < size}
        if last in self.sectors:
            self.sectors[last] = self.sectors[last][:rest].ljust(SECTOR, b"\0")

    def write(self, offset: int, data: bytes) -> None:
        """Put bytes in their place, which may lie across sectors."""
        while data:
            number, start = divmod(offset, SECTOR)
            piece, data = data[: SECTOR - start], data[SECTOR - start :]
            old = self.sectors.get(number, bytes(SECTOR))
            new = old[:start] + piece + old[start + len(piece) :]
            if any(new):
                self.sectors[number] = new
            else:
                self.sectors.pop(number, None)
            offset += len(piece)
        self.size = max(self.size, offset)

    def save(self, path: Path) -> None:
        """Make a real file of it."""
        with path.open("wb") as file:
            file.truncate(self.size)
            for number, sector in self.sectors.items():
                file.seek(number * SECTOR)
                file.write(sector[: self.size - number * SECTOR])


class Platter:
    """The state of the disk after some operations."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._files: dict[int, Contents] = {}
        self._names: dict[Path, int] = {root: FOLDER}
        self._unsynced_names: list[Name] = []
        self._applied = 0

    def apply(self, operation: Operation) -> None:
        """Take the next operation."""
        match operation:
            case Write(file) | Truncate(file):
                self._files.setdefault(file, Contents()).unsynced.append((self._applied, operation))
            case Sync(file, begun):
                self._files.setdefault(file, Contents()).sync(begun)
            case Drop(file, begun):
                self._files.setdefault(file, Contents()).drop(begun)
            case Name():
                self._unsynced_names.append(operation)
            case SyncFolder(path):
                for name in self._unsynced_names:
                    if name.path.parent == path:
                        self._rename(self._names, name)
                self._unsynced_names = [each for each in self._unsynced_names if each.path.parent != path]
        self._applied += 1

    def cut(self, survives: Survives, random: Random, target: Path) -> None:
        """Make real files below `target` of what a power cut at this moment may leave."""
        choose = {"nothing": lambda: False, "all": lambda: True, "some": lambda: random.random() < 0.5}
        names = self._names.copy()
        for name in self._unsynced_names:
            if choose[survives]():
                self._rename(names, name)
        for path, file in sorted(names.items()):
            place = target / path.relative_to(self._root)
            if not place.parent.is_dir():
                continue  # its folder was lost, and it is lost with it
            if file == FOLDER:
                place.mkdir(mode=0o700, exist_ok=True)
                continue
            contents = self._files.get(file, Contents()).copy()
            contents.settle(choose[survives])
            contents.save(place)

    @staticmethod
    def _rename(names: dict[Path, int], name: Name) -> None:
        if name.file is None:
            names.pop(name.path, None)
        else:
            names[name.path] = name.file
