"""Whether a store can live at a path at all; every refusal says why and what to do."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import apsw

from segue.errors import StoreUnavailable

NETWORK_FILE_SYSTEMS = frozenset(
    {
        "9p",
        "afs",
        "beegfs",
        "ceph",
        "cifs",
        "fuse.cephfs",
        "fuse.davfs",
        "fuse.gcsfuse",
        "fuse.glusterfs",
        "fuse.rclone",
        "fuse.s3fs",
        "fuse.sshfs",
        "glusterfs",
        "gpfs",
        "lustre",
        "ncpfs",
        "nfs",
        "nfs4",
        "smb3",
        "smbfs",
        "virtiofs",
    }
)
"""Where locks or shared memory cannot be trusted, so that two writers could damage the file."""

_FIRST_DAMAGED, _FIRST_SOUND = (3, 7, 0), (3, 51, 3)
_SQLITE_MAGIC = b"SQLite format 3\0"


def check_library(version: str = apsw.sqlite_lib_version()) -> None:
    """Raises `StoreUnavailable` if this SQLite can damage a file when it resets the write-ahead log."""
    number = tuple(int(part) for part in version.split("."))
    if _FIRST_DAMAGED <= number < _FIRST_SOUND:
        raise StoreUnavailable(
            f"SQLite {version} can corrupt a database in WAL mode (fixed in 3.51.3)",
            remedy="Upgrade apsw: pip install --upgrade 'apsw>=3.51.3'",
        )


def check_place(path: Path, mounts: str | None = None) -> None:
    """Raises `StoreUnavailable` unless `path` is a file that can be written, or could be made, on a local disk."""
    folder = path.parent
    try:
        path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        pass
    except OSError as error:
        raise StoreUnavailable(
            f"no store can be at {str(path)[:200]}: {error.strerror}", remedy="Name another place."
        ) from error
    if path.is_dir():
        raise StoreUnavailable(f"{path} is a folder", remedy=f"Name a file, such as {path / 'segue.db'}.")
    if not folder.is_dir():
        what = "is not a folder" if folder.exists() else "does not exist"
        raise StoreUnavailable(
            f"the folder {folder} {what}", remedy=f"Create it (mkdir -p {folder}) or name another."
        )
    if path.exists() and not stat.S_ISREG(path.stat().st_mode):
        raise StoreUnavailable(f"{path} is not a regular file", remedy="Name a file on a disk.")
    read_only = os.statvfs(folder).f_flag & os.ST_RDONLY
    if read_only or not os.access(folder, os.W_OK) or (path.exists() and not os.access(path, os.W_OK)):
        raise StoreUnavailable(
            f"{path} cannot be written",
            remedy="Make the file and its folder writable, or name another place.",
        )
    if path.exists() and not _may_be_database(path):
        raise StoreUnavailable(f"{path} is not a SQLite database", remedy="Name another file, or a new one.")
    kind = file_system(folder, mounts)
    if kind in NETWORK_FILE_SYSTEMS:
        raise StoreUnavailable(
            f"{path} is on a network file system ({kind}), where SQLite's locks cannot be trusted",
            remedy="Put the store on a local disk.",
        )


def _may_be_database(path: Path) -> bool:
    """
    Whether a file is empty or begins as SQLite's do: seen before anything is made beside it.

    Where the power went while the file was made it may begin as anything; its journal says so, and SQLite mends it.
    """
    with path.open("rb") as file:
        head = file.read(len(_SQLITE_MAGIC))
    return head in {b"", _SQLITE_MAGIC} or Path(f"{path}-journal").exists()


def file_system(folder: Path, mounts: str | None = None) -> str | None:
    """The kind of file system that holds a folder (Linux; None where that cannot be known)."""
    if mounts is None:
        try:
            mounts = Path("/proc/self/mountinfo").read_text()
        except OSError:
            return None
    place = folder.resolve()
    found: tuple[int, str | None] = (-1, None)
    for line in mounts.splitlines():
        fields, _, kinds = line.partition(" - ")
        mount = Path(fields.split()[4].encode().decode("unicode_escape"))
        if place.is_relative_to(mount) and len(mount.parts) >= found[0]:
            found = (len(mount.parts), kinds.split()[0])
    return found[1]


def boot_id() -> str:
    """What tells this start of the machine from others; the same for all where the system does not say."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return "unknown"
