"""
A layer between Segue and the disk: everything that is done to the files below a folder passes through it.

It writes down what is done, in order, and may be told to let any of it fail: what SQLite does, through a file system
layer of its own, and what Segue does itself, through the functions of `os`.
"""

import errno
import io
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import apsw

from tests.disk.model import FOLDER, Drop, Name, Operation, Sync, SyncFolder, Truncate, Write


class Disk:
    """Writes down what is done to the files below a folder, while it is done."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.operations: list[Operation] = []
        self._numbers: dict[Path, int] = {}
        self._opened: dict[int, Path] = {}
        self._next = 0

    def before(self, what: str, path: Path, half: Callable[[], object] | None = None) -> None:
        """
        Called before anything is done. A subclass may raise OSError instead, which is what the caller is told then.

        `half` does the first half of a write.
        """

    def heal(self) -> None:
        """From now on nothing fails any more."""

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Until the end of this, what SQLite and `os` do below the folder passes through here."""
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

    def sees(self, path: Any) -> bool:
        """Whether a path is one of those that are watched."""
        return isinstance(path, str | Path) and Path(path).is_relative_to(self.root)

    def number(self, path: Path) -> int:
        """The number of a file; one that is new gets its name written down."""
        if path not in self._numbers:
            self._next += 1
            self._numbers[path] = self._next
            self.note(Name(path, self._next))
        return self._numbers[path]

    def write(self, path: Path, offset: int, data: bytes) -> None:
        """Write down that bytes were written."""
        self.note(Write(self.number(path), offset, data))

    def sync(self, path: Path, sync: Callable[[], None]) -> None:
        """Sync a file or folder, and write down that it was done or that it failed."""
        number, begun = None if path.is_dir() else self.number(path), len(self.operations)
        try:
            self.before("sync", path)
        except OSError:
            if number is not None:
                self.note(Drop(number, begun))
            raise
        sync()
        self.note(SyncFolder(path) if number is None else Sync(number, begun))

    def forget(self, path: Path) -> None:
        """Write down that a name is gone."""
        if self._numbers.pop(path, None) is not None:
            self.note(Name(path, None))

    def move(self, old: Path, new: Path) -> None:
        """Write down that a file has another name now, in place of whatever had it before."""
        number = self._numbers[new] = self._numbers.pop(old)
        self.note(Name(new, number))
        self.note(Name(old, None))

    def opened(self, file: int, path: Path) -> None:
        """A file descriptor stands for this path now."""
        self._opened[file] = path

    def closed(self, file: int) -> None:
        """A file descriptor stands for nothing any more."""
        self._opened.pop(file, None)

    def path_of(self, file: int) -> Path | None:
        """The path behind a file descriptor, if it is watched."""
        return self._opened.get(file)


# --- what SQLite does ---------------------------------------------------------------------------------

_SYNC_FAILED = apsw.SQLITE_IOERR_FSYNC


class _Layer(apsw.VFS):
    """The default file system of SQLite, watched."""

    def __init__(self, disk: Disk) -> None:
        self.disk = disk
        self._last_error = 0
        super().__init__("segue-disk", "unix", makedefault=True)

    def xOpen(self, name: Any, flags: list[int]) -> apsw.VFSFile:
        path = Path(name.filename() if isinstance(name, apsw.URIFilename) else name)
        with self.failing_with(apsw.SQLITE_CANTOPEN):
            self.disk.before("open" if path.exists() else "create", path)
        return _File(self, path, name, flags)

    def xDelete(self, name: str, sync_folder: bool) -> None:
        path = Path(name)
        with self.failing_with(apsw.SQLITE_IOERR_DELETE):
            self.disk.before("unlink", path)
        super().xDelete(name, sync_folder)
        self.disk.forget(path)
        if sync_folder:
            self.disk.note(SyncFolder(path.parent))

    def xGetLastError(self) -> tuple[int, str]:
        return self._last_error, os.strerror(self._last_error)

    @contextmanager
    def failing_with(self, code: int) -> Iterator[None]:
        """Tell SQLite of an error in its own way."""
        try:
            yield
        except OSError as error:
            self._last_error = error.errno or 0
            full = code == apsw.SQLITE_IOERR_WRITE and error.errno == errno.ENOSPC
            raise apsw.exception_for(apsw.SQLITE_FULL if full else code) from error


class _File(apsw.VFSFile):
    """One open file. SQLite syncs the folder of a new log or journal when it syncs it for the first time."""

    def __init__(self, layer: _Layer, path: Path, name: Any, flags: list[int]) -> None:
        super().__init__("unix", name, flags)
        self._layer = layer
        self._disk = layer.disk
        self._path = path
        self._disk.number(path)
        self._syncs_folder = bool(flags[0] & (apsw.SQLITE_OPEN_WAL | apsw.SQLITE_OPEN_MAIN_JOURNAL))

    def xRead(self, amount: int, offset: int) -> bytes:
        with self._layer.failing_with(apsw.SQLITE_IOERR_READ):
            self._disk.before("read", self._path)
        return super().xRead(amount, offset)

    def xLock(self, level: int) -> None:
        with self._layer.failing_with(apsw.SQLITE_IOERR_LOCK):
            self._disk.before("lock", self._path)
        super().xLock(level)

    def xWrite(self, data: bytes, offset: int) -> None:
        write = super().xWrite
        with self._layer.failing_with(apsw.SQLITE_IOERR_WRITE):
            self._disk.before("write", self._path, lambda: write(data[: len(data) // 2], offset))
        write(data, offset)
        self._disk.write(self._path, offset, bytes(data))

    def xTruncate(self, size: int) -> None:
        with self._layer.failing_with(apsw.SQLITE_IOERR_TRUNCATE):
            self._disk.before("truncate", self._path)
        super().xTruncate(size)
        self._disk.note(Truncate(self._disk.number(self._path), size))

    def xSync(self, flags: int) -> None:
        sync = super().xSync
        with self._layer.failing_with(_SYNC_FAILED):
            self._disk.sync(self._path, lambda: sync(flags))
        if self._syncs_folder:
            self._syncs_folder = False
            self._disk.note(SyncFolder(self._path.parent))


# --- what Segue does itself ---------------------------------------------------------------------------


class _PythonFile(io.FileIO):
    """A file that Python writes without a buffer, watched."""

    disk: Disk
    path: Path

    def write(self, data: Any) -> int:
        offset, write = self.tell(), super().write
        self.disk.before("write", self.path, lambda: write(data[: len(data) // 2]))
        written = write(data)
        self.disk.write(self.path, offset, bytes(data[:written]))
        return written

    def close(self) -> None:
        if not self.closed:
            self.disk.closed(self.fileno())
        super().close()


def _open(disk: Disk, original: Any) -> Any:
    def opens(path: Any, flags: int, *args: Any, **kwargs: Any) -> int:
        if kwargs.get("dir_fd") is not None:
            return original(path, flags, *args, **kwargs)  # type: ignore[no-any-return] # only for reading
        seen, makes = disk.sees(path), bool(flags & os.O_CREAT)
        if seen:
            disk.before("open" if Path(path).exists() else "create", Path(path))
        file: int = original(path, flags, *args, **kwargs)
        disk.closed(file)  # what had this number before may have been closed behind our back
        if seen:
            disk.opened(file, Path(path))
        if seen and makes:
            disk.number(Path(path))
        return file

    return opens


def _fdopen(disk: Disk, original: Any) -> Any:
    def fdopen(file: int, mode: str, *args: Any, **kwargs: Any) -> Any:
        path = disk.path_of(file)
        if path is None or kwargs.get("buffering") != 0:
            return original(file, mode, *args, **kwargs)
        watched = _PythonFile(file, mode)
        watched.disk, watched.path = disk, path
        return watched

    return fdopen


def _close(disk: Disk, original: Any) -> Any:
    def close(file: int) -> None:
        disk.closed(file)
        original(file)

    return close


def _fsync(disk: Disk, original: Any) -> Any:
    def fsync(file: int) -> None:
        path = disk.path_of(file)
        if path is None:
            original(file)
        else:
            disk.sync(path, lambda: original(file))

    return fsync


def _pwrite(disk: Disk, original: Any) -> Any:
    def pwrite(file: int, data: Any, offset: int) -> int:
        path = disk.path_of(file)
        if path is None:
            return original(file, data, offset)  # type: ignore[no-any-return]
        disk.before("write", path, lambda: original(file, data[: len(data) // 2], offset))
        written: int = original(file, data, offset)
        disk.write(path, offset, bytes(data[:written]))
        return written

    return pwrite


def _mkdir(disk: Disk, original: Any) -> Any:
    def mkdir(path: Any, *args: Any, **kwargs: Any) -> None:
        if disk.sees(path) and not Path(path).exists():
            disk.before("mkdir", Path(path))
        original(path, *args, **kwargs)
        if disk.sees(path):
            disk.note(Name(Path(path), FOLDER))

    return mkdir


def _replace(disk: Disk, original: Any) -> Any:
    def replace(old: Any, new: Any, **kwargs: Any) -> None:
        if disk.sees(old):
            disk.before("rename", Path(old))
        original(old, new, **kwargs)
        if disk.sees(old):
            folder = disk.path_of(kwargs["dst_dir_fd"]) if kwargs else None
            disk.move(Path(old), Path(new) if folder is None else folder / new)

    return replace


def _unlink(disk: Disk, original: Any) -> Any:
    def unlink(path: Any, **kwargs: Any) -> None:
        if disk.sees(path) and not kwargs:
            disk.before("unlink", Path(path))
        original(path, **kwargs)
        if disk.sees(path) and not kwargs:
            disk.forget(Path(path))

    return unlink


_FUNCTIONS = {
    "open": _open,
    "fdopen": _fdopen,
    "close": _close,
    "fsync": _fsync,
    "pwrite": _pwrite,
    "mkdir": _mkdir,
    "replace": _replace,
    "unlink": _unlink,
}
