"""Artifacts in a folder: each file is named by the digest of its bytes, so nothing is ever changed in place."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import fcntl
import hashlib
import os
import re
import uuid
from collections.abc import AsyncIterable, AsyncIterator, Callable, Collection, Iterator
from pathlib import Path
from typing import BinaryIO, TypeVar

from segue.errors import ArtifactError, StoreError, StoreFull, StoreUnavailable
from segue.ports.artifacts import StoredArtifact
from segue.ports.clock import Clock

PIECE_BYTES = 256 * 1024
"""How much is read at a time."""

SMALL_BYTES = 128 * 1024
"""Up to so many bytes are written without syncing in the event loop's thread: a change of thread would cost more."""

_DIGEST = re.compile(r"sha256:([0-9a-f]{2})([0-9a-f]{62})", re.ASCII)
_PARTIAL = ".partial-"
_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}

T = TypeVar("T")


class FolderArtifacts:
    """
    Artifacts as files `ab/cdef...` below a folder.

    Bytes are written under a temporary name, synced with their folders if `durable`, and renamed: a crash leaves a
    whole file or a temporary one, which `prune` removes. They are verified whenever they are read.
    """

    def __init__(self, folder: Path, clock: Clock, *, durable: bool) -> None:
        self._folder = folder
        self._clock = clock
        self._durable = durable
        self._made: set[Path] = set()
        """Folders whose own names this process has seen to."""

    async def put(self, content: bytes | AsyncIterable[bytes]) -> StoredArtifact:
        """Store bytes. Raises `StoreFull` or `StoreUnavailable`, and then leaves nothing behind."""
        if isinstance(content, bytes):
            if len(content) <= SMALL_BYTES and not self._durable:
                return self._put_whole(content)
            return await _in_thread(lambda: self._put_whole(content))
        partial = await _in_thread(self._begin)
        try:
            async for piece in content:
                await _in_thread(lambda piece=piece: partial.write(piece))  # type: ignore[misc]
            return await _in_thread(lambda: self._keep(partial))
        except BaseException:
            partial.discard()
            raise

    def read(self, digest: str) -> AsyncIterator[bytes]:
        """The bytes in pieces. Raises `ArtifactError` if they are missing, or at the end if the digest differs."""
        return self._read(digest)

    async def _read(self, digest: str) -> AsyncIterator[bytes]:
        file = await _in_thread(lambda: self._open(digest))
        try:
            seen = hashlib.sha256()
            while piece := await _in_thread(lambda: file.read(PIECE_BYTES)):
                seen.update(piece)
                yield piece
            _verify(digest, seen.hexdigest())
        finally:
            file.close()

    async def get(self, digest: str) -> bytes:
        """All the bytes, verified. Raises `ArtifactError` if they are missing or not those that were put."""
        return await _in_thread(lambda: self._get(digest))

    async def prune(self, keep: Collection[str], older_than_seconds: float) -> int:
        """Remove artifacts and left-over temporary files outside `keep` that are older than so many seconds."""
        return await _in_thread(lambda: self._prune(frozenset(keep), self._clock.wall() - older_than_seconds))

    async def size(self) -> int:
        """How many bytes are stored."""
        return await _in_thread(lambda: sum(path.stat().st_size for path in self._files()))

    @contextlib.contextmanager
    def kept(self) -> Iterator[None]:
        """Until the end of this nothing is pruned, by nobody."""
        with _told(self._folder / ".lock"), self._while_nobody_prunes(fcntl.LOCK_SH):
            yield

    def copy_to(self, target: FolderArtifacts, digest: str) -> int:
        """Put an artifact into another folder too; its size. Raises `ArtifactError` if it is missing or damaged."""
        with self._open(digest) as file:
            partial = target._begin()
            try:
                while piece := file.read(PIECE_BYTES):
                    partial.write(piece)
                _verify(digest, partial.digest.removeprefix("sha256:"))
                return target._keep(partial).size
            except BaseException:
                partial.discard()
                raise

    # --- in a thread ----------------------------------------------------------------------------------

    def _put_whole(self, content: bytes) -> StoredArtifact:
        digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
        if self._is_kept(digest):
            return StoredArtifact(digest, len(content))
        partial = self._begin(digest)
        try:
            partial.write(content)
            return self._keep(partial)
        except BaseException:
            partial.discard()
            raise

    def _begin(self, digest: str | None = None) -> _Partial:
        with _told(self._folder):
            self._make(self._folder)
        return _Partial(self._folder, digest)

    def _keep(self, partial: _Partial) -> StoredArtifact:
        stored = partial.finish(self._clock.wall(), sync=self._durable)
        path = self._path(stored.digest)
        with _told(path):
            self._make(path.parent)
            with self._shelf(path) as shelf:
                os.replace(partial.path, path.name, dst_dir_fd=shelf)
                if self._durable:
                    os.fsync(shelf)
        return stored

    @contextlib.contextmanager
    def _shelf(self, path: Path) -> Iterator[int]:
        """The folder that holds an artifact, open: a link that stands in its place is not followed."""
        shelf = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC | os.O_NOFOLLOW)
        try:
            yield shelf
        finally:
            os.close(shelf)

    def _make(self, folder: Path) -> None:
        """
        Make a folder, and sync the one that it is in: a file in a folder that has no name is lost.

        Once in each process, even if the folder is there: whoever made it may have been killed before he synced.
        """
        if folder in self._made and folder.is_dir():
            return
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._sync(folder.parent)
        self._made.add(folder)

    def _is_kept(self, digest: str) -> bool:
        """
        Whether the bytes are there already; they are as young as new ones then, so that no pruning takes them.

        Whoever put them may have been killed before the sync, or had none to do: it is made up for.
        """
        path, now = self._path(digest), self._clock.wall()
        if not path.exists():
            return False
        with _told(path), self._while_nobody_prunes(fcntl.LOCK_SH), contextlib.suppress(FileNotFoundError):
            self._make(path.parent)
            with self._shelf(path) as shelf:
                if self._durable:
                    self._sync(path)
                    os.fsync(shelf)
                os.utime(path.name, (now, now), dir_fd=shelf, follow_symlinks=False)
            return True
        return False

    @contextlib.contextmanager
    def _while_nobody_prunes(self, kind: int) -> Iterator[None]:
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        file = os.open(self._folder / ".lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            fcntl.flock(file, kind)
            yield
        finally:
            os.close(file)

    def _sync(self, path: Path) -> None:
        """Sync a file or a folder, if that was promised."""
        if not self._durable:
            return
        file = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
        try:
            os.fsync(file)
        finally:
            os.close(file)

    def _open(self, digest: str) -> BinaryIO:
        path = self._path(digest)
        try:
            with self._shelf(path) as shelf:
                file = os.open(path.name, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW, dir_fd=shelf)
        except OSError as error:
            raise ArtifactError(
                f"artifact {digest} cannot be read: {error.strerror}",
                remedy=f"Restore {path} from a backup, or run the task that made it again.",
            ) from error
        return os.fdopen(file, "rb")

    def _get(self, digest: str) -> bytes:
        with self._open(digest) as file:
            content = file.read()
        _verify(digest, hashlib.sha256(content).hexdigest())
        return content

    def _prune(self, keep: frozenset[str], before: float) -> int:
        removed = 0
        with _told(self._folder / ".lock"), self._while_nobody_prunes(fcntl.LOCK_EX):
            for path in self._files():
                digest = f"sha256:{path.parent.name}{path.name}"
                if digest not in keep and path.stat().st_mtime < before:
                    path.unlink(missing_ok=True)
                    removed += 1
            for path in self._folder.glob(f"{_PARTIAL}*"):
                if path.stat().st_mtime < before:
                    path.unlink(missing_ok=True)
        return removed

    def _files(self) -> Iterator[Path]:
        """The artifacts that are there. A link leads elsewhere, and what is there is nobody's to count or remove."""
        for folder in self._folder.glob("[0-9a-f][0-9a-f]"):
            for path in folder.iterdir() if not folder.is_symlink() else ():
                if _DIGEST.fullmatch(f"sha256:{folder.name}{path.name}") and not path.is_symlink():
                    yield path

    def _path(self, digest: str) -> Path:
        match = _DIGEST.fullmatch(digest)
        if match is None:
            raise ArtifactError(
                f"{digest!r} is not the digest of an artifact", remedy="It is `sha256:` and 64 hex digits."
            )
        return self._folder / match[1] / match[2]


class _Partial:
    """A file that is being written and nobody knows yet; its digest is counted on the way, unless it is known."""

    def __init__(self, folder: Path, digest: str | None) -> None:
        self.path = folder / f"{_PARTIAL}{uuid.uuid4().hex}"
        self._known = digest
        self._seen = hashlib.sha256()
        self._size = 0
        with _told(self.path):
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW
            self._file = os.fdopen(os.open(self.path, flags, 0o600), "wb", buffering=0)

    @property
    def digest(self) -> str:
        return self._known or f"sha256:{self._seen.hexdigest()}"

    def write(self, piece: bytes) -> None:
        if self._known is None:
            self._seen.update(piece)
        self._size += len(piece)
        view = memoryview(piece)
        with _told(self.path):
            while view:
                view = view[self._file.write(view) :]

    def finish(self, at: float, *, sync: bool) -> StoredArtifact:
        with _told(self.path):
            os.utime(self._file.fileno(), (at, at))
            if sync:
                os.fsync(self._file.fileno())
            self._file.close()
        return StoredArtifact(self.digest, self._size)

    def discard(self) -> None:
        """Best as it can: what a failing disk keeps, a later pruning takes."""
        with contextlib.suppress(OSError):
            self._file.close()
        with contextlib.suppress(OSError):
            self.path.unlink(missing_ok=True)


@contextlib.contextmanager
def _told(path: Path) -> Iterator[None]:
    """Turn an error of the file system into one that says what to do."""
    try:
        yield
    except OSError as error:
        raise _translate(error, path) from error


def _translate(error: OSError, path: Path) -> StoreError:
    if error.errno in _FULL:
        return StoreFull(f"the disk that holds {path.parent} is full", remedy="Free some space and repeat.")
    return StoreUnavailable(
        f"an artifact cannot be written to {path.parent}: {error.strerror}",
        remedy="Make the folder writable.",
    )


def _verify(digest: str, found: str) -> None:
    if digest != f"sha256:{found}":
        raise ArtifactError(
            f"artifact {digest} is damaged: its bytes have the digest sha256:{found}",
            remedy="Restore it from a backup, or run the task that made it again.",
        )


async def _in_thread(work: Callable[[], T]) -> T:
    return await asyncio.get_running_loop().run_in_executor(None, work)
