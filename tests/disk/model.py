"""
A model of a disk that may lose whatever was not synced.

Everything that is done to the files below a folder is written down in order: by SQLite, through a file system layer of
its own; by Segue itself, through the functions of `os`. From any place in that order the disk can be rebuilt as a power
cut may have left it: what was synced is there, and of the rest nothing, all, or any 512 bytes of it. The same holds for
the names in a folder, until the folder itself is synced.
"""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random  # noqa: TID251 (with a seed)
from typing import Any, Literal, NamedTuple

import apsw

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


class Name(NamedTuple):
    """A name in a folder stands for a file from now on, for a folder (-1), or for nothing (None)."""

    path: Path
    file: int | None


class SyncFolder(NamedTuple):
    """A folder was synced: its names will be there."""

    path: Path


Operation = Write | Truncate | Sync | Name | SyncFolder
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


class Disk:
    """Writes down what is done to the files below a folder, while it is done."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.operations: list[Operation] = []
        self._numbers: dict[Path, int] = {}
        self._opened: dict[int, Path] = {}
        self._next = 0

    @contextmanager
    def recording(self) -> Iterator[None]:
        """Until the end of this, SQLite and `os` write down what they do."""
        layer = _Layer(self)
        replaced = {name: getattr(os, name) for name in _FUNCTIONS}
        for name, make in _FUNCTIONS.items():
            setattr(os, name, make(self, replaced[name]))
        try:
            yield
        finally:
            for name, function in replaced.items():
                setattr(os, name, function)
            layer.unregister()

    def note(self, operation: Operation) -> None:
        """Write an operation down."""
        self.operations.append(operation)

    def sees(self, path: Path) -> bool:
        """Whether a path is one of those that are watched."""
        return path != self.root and path.is_relative_to(self.root)

    def number(self, path: Path) -> int:
        """The number of a file; one that is new gets its name written down."""
        if path not in self._numbers:
            self._next += 1
            self._numbers[path] = self._next
            self.note(Name(path, self._next))
        return self._numbers[path]

    def forget(self, path: Path) -> int | None:
        """A name is gone; the number of the file that it stood for."""
        number = self._numbers.pop(path, None)
        if number is not None:
            self.note(Name(path, None))
        return number

    def move(self, old: Path, new: Path) -> None:
        """A file has another name now, in place of whatever had it before."""
        number = self._numbers.pop(old)
        self._numbers[new] = number
        self.note(Name(new, number))
        self.note(Name(old, None))

    def opened(self, file: int, path: Path | None = None) -> Path | None:
        """The path behind a file descriptor; `path` says that it was opened just now."""
        if path is not None:
            self._opened[file] = path
        return self._opened.get(file)


# --- what SQLite does ---------------------------------------------------------------------------------


class _Layer(apsw.VFS):
    """The default file system of SQLite, written down."""

    def __init__(self, disk: Disk) -> None:
        self._disk = disk
        super().__init__("segue-power", "unix", makedefault=True)

    def xOpen(self, name: Any, flags: list[int]) -> apsw.VFSFile:
        path = Path(name.filename() if isinstance(name, apsw.URIFilename) else name)
        return _File(self._disk, path, name, flags)

    def xDelete(self, name: str, sync_folder: bool) -> None:
        super().xDelete(name, sync_folder)
        self._disk.forget(Path(name))
        if sync_folder:
            self._disk.note(SyncFolder(Path(name).parent))


class _File(apsw.VFSFile):
    """One open file. SQLite syncs the folder of a new log or journal when it syncs it for the first time."""

    def __init__(self, disk: Disk, path: Path, name: Any, flags: list[int]) -> None:
        super().__init__("unix", name, flags)
        self._disk = disk
        self._path = path
        self._number = disk.number(path)
        self._syncs_folder = bool(flags[0] & (apsw.SQLITE_OPEN_WAL | apsw.SQLITE_OPEN_MAIN_JOURNAL))

    def xWrite(self, data: bytes, offset: int) -> None:
        super().xWrite(data, offset)
        self._disk.note(Write(self._number, offset, bytes(data)))

    def xTruncate(self, size: int) -> None:
        super().xTruncate(size)
        self._disk.note(Truncate(self._number, size))

    def xSync(self, flags: int) -> None:
        begun = len(self._disk.operations)
        super().xSync(flags)
        self._disk.note(Sync(self._number, begun))
        if self._syncs_folder:
            self._syncs_folder = False
            self._disk.note(SyncFolder(self._path.parent))


# --- what Segue does itself ---------------------------------------------------------------------------


def _open(disk: Disk, original: Any) -> Any:
    def opens(path: Any, flags: int, *args: Any, **kwargs: Any) -> int:
        file: int = original(path, flags, *args, **kwargs)
        if not isinstance(path, int) and disk.sees(Path(path)):
            disk.opened(file, Path(path))
            if flags & os.O_CREAT:
                disk.number(Path(path))
        elif not isinstance(path, int) and Path(path) == disk.root:
            disk.opened(file, Path(path))
        return file

    return opens


def _close(disk: Disk, original: Any) -> Any:
    def close(file: int) -> None:
        disk._opened.pop(file, None)
        original(file)

    return close


def _fsync(disk: Disk, original: Any) -> Any:
    def fsync(file: int) -> None:
        path = disk.opened(file)
        if path is not None and path.is_file():
            _note_contents(disk, path)
        begun = len(disk.operations)
        original(file)
        if path is not None:
            disk.note(Sync(disk.number(path), begun) if path.is_file() else SyncFolder(path))

    return fsync


def _note_contents(disk: Disk, path: Path) -> None:
    """What Python wrote into a file is written down when it is synced or gets its name: it was not seen before."""
    disk.note(Write(disk.number(path), 0, path.read_bytes()))


def _pwrite(disk: Disk, original: Any) -> Any:
    def pwrite(file: int, data: Any, offset: int) -> int:
        written: int = original(file, data, offset)
        path = disk.opened(file)
        if path is not None:
            disk.note(Write(disk.number(path), offset, bytes(data[:written])))
        return written

    return pwrite


def _mkdir(disk: Disk, original: Any) -> Any:
    def mkdir(path: Any, *args: Any, **kwargs: Any) -> None:
        original(path, *args, **kwargs)
        if disk.sees(Path(path)):
            disk.note(Name(Path(path), FOLDER))

    return mkdir


def _replace(disk: Disk, original: Any) -> Any:
    def replace(old: Any, new: Any, **kwargs: Any) -> None:
        if disk.sees(Path(old)):
            _note_contents(disk, Path(old))
        original(old, new, **kwargs)
        if disk.sees(Path(old)):
            disk.move(Path(old), Path(new))

    return replace


def _unlink(disk: Disk, original: Any) -> Any:
    def unlink(path: Any, **kwargs: Any) -> None:
        original(path, **kwargs)
        if not kwargs:
            disk.forget(Path(path))

    return unlink


_FUNCTIONS = {
    "open": _open,
    "close": _close,
    "fsync": _fsync,
    "pwrite": _pwrite,
    "mkdir": _mkdir,
    "replace": _replace,
    "unlink": _unlink,
}
