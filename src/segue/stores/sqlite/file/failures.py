"""What SQLite says when it cannot, in the words of Segue's errors."""

from __future__ import annotations

import errno

import apsw

from segue.errors import StoreCorrupt, StoreError, StoreFull, StoreUnavailable

_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


def is_io_error(error: BaseException) -> bool:
    """Whether the disk failed, after which a connection must not be trusted any more."""
    return isinstance(error, apsw.IOError)


def cannot_create(path: object, error: OSError) -> StoreError:
    """The typed error for a file or folder that could not be made."""
    if error.errno in _FULL:
        return StoreFull(f"the disk that holds {path} is full", remedy="Free some space and try again.")
    return StoreUnavailable(
        f"{path} cannot be created: {error.strerror}",
        remedy="Make its folder writable, and see whether the disk works.",
    )


def told(error: apsw.Error | OSError, path: str, system_errno: int = 0) -> StoreError:
    """The typed error for what SQLite, or the system itself, reported about the store at `path`."""
    if isinstance(error, apsw.Error):
        return translate(error, path, system_errno)
    return translate(apsw.IOError(error.strerror), path, error.errno or 0)


def translate(error: apsw.Error, path: str, system_errno: int = 0) -> StoreError:
    """The typed error for what SQLite reported about the store at `path`."""
    failed = isinstance(error, apsw.IOError | apsw.CantOpenError)
    if isinstance(error, apsw.FullError) or (failed and system_errno in _FULL):
        return StoreFull(
            f"the disk that holds {path} is full; the last write may or may not have been kept",
            remedy="Free some space and repeat: a repeated write is recognised.",
        )
    if isinstance(error, apsw.CorruptError | apsw.NotADBError):
        return StoreCorrupt(
            f"{path} is damaged: {error}",
            remedy="Restore it from a backup; `sqlite3 FILE '.recover'` may save a part.",
        )
    if isinstance(error, apsw.ReadOnlyError | apsw.PermissionsError | apsw.AuthError):
        return StoreUnavailable(
            f"{path} cannot be written: {error}", remedy="Make the file and its folder writable."
        )
    if isinstance(error, apsw.BusyError | apsw.LockedError):
        return StoreUnavailable(
            f"{path} is locked by another program",
            remedy="Close what holds it open for writing, such as a database browser with unsaved changes.",
        )
    if isinstance(error, apsw.ConstraintError | apsw.MismatchError):
        return StoreCorrupt(
            f"{path} refused a transition that its state machine does not know: {error}",
            remedy="Please report this: it is a mistake in Segue or in a change made by hand.",
        )
    return StoreUnavailable(
        f"{path} cannot be used: {error}",
        remedy="See whether the disk works and the file is still there; the write may be repeated as it was.",
    )
