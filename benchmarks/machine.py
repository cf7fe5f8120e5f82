"""Facts about the machine that a figure is worth nothing without."""

import os
import platform
import tempfile
import time
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import apsw

from benchmarks.workloads import percentile

FSYNC_SAMPLES = 200
IN_MEMORY_FILESYSTEMS = frozenset({"tmpfs", "ramfs", "devtmpfs"})

Facts = dict[str, str | float]


def facts(folder: Path) -> Facts:
    """Processor, kernel, versions, file system and raw fsync of the folder that the stores are written to."""
    return {
        "processor": _processor(),
        "cores": float(os.cpu_count() or 0),
        "kernel": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "sqlite": apsw.sqlite_lib_version(),
        "segue": _version("segue"),
        "filesystem": filesystem(folder),
        "scheduling": scheduling(),
        "fdatasync_append_p50_us": fdatasync_microseconds(folder, append=True),
        "fdatasync_overwrite_p50_us": fdatasync_microseconds(folder, append=False),
    }


def told(facts: Facts) -> str:
    """The facts in one line."""
    facts_told = (
        f"{name} {value if isinstance(value, str) else f'{value:.0f}'}" for name, value in facts.items()
    )
    return f"machine: {', '.join(facts_told)}"


def filesystem(folder: Path) -> str:
    """The type of the file system that a folder is on, by the longest mount point above it."""
    best, kind = "", "unknown"
    resolved = str(folder.resolve())
    try:
        lines = Path("/proc/mounts").read_text().splitlines()
    except OSError:
        return kind
    for line in lines:
        _, point, mounted_kind, *_ = line.split(" ")
        inside = resolved == point or resolved.startswith(point.rstrip("/") + "/")
        if inside and len(point) >= len(best):
            best, kind = point, mounted_kind
    return kind


def scheduling() -> str:
    """How this process and those that it starts are scheduled.

    Without real time any process that keeps a core busy delays the wake-up after a sync by up to 4 ms.
    """
    policy = getattr(os, "sched_getscheduler", lambda process: None)(0)
    return "real time" if policy in {getattr(os, "SCHED_RR", -1), getattr(os, "SCHED_FIFO", -1)} else "normal"


def default_folder() -> Path:
    """Where stores are written when nobody says: on a disk, since a sync in memory costs nothing."""
    for candidate in (Path(tempfile.gettempdir()), Path("/var/tmp")):
        if candidate.is_dir() and filesystem(candidate) not in IN_MEMORY_FILESYSTEMS:
            return candidate
    return Path(tempfile.gettempdir())


def fdatasync_microseconds(folder: Path, append: bool) -> float:
    """The median time of writing 4 KB and syncing it: at the end of a growing file, or over old bytes."""
    block = os.urandom(4096)
    sync: Callable[[int], None] = getattr(os, "fdatasync", os.fsync)
    samples = []
    with tempfile.TemporaryFile(dir=folder) as file:
        descriptor = file.fileno()
        if not append:
            os.write(descriptor, block * FSYNC_SAMPLES)
            os.fsync(descriptor)
        for number in range(FSYNC_SAMPLES):
            began = time.perf_counter()
            os.pwrite(descriptor, block, number * len(block))
            sync(descriptor)
            samples.append(time.perf_counter() - began)
    return percentile(samples, 50) * 1e6


def _processor() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"
