"""
Named points around every commit, and what can be made to happen there.

A store's every writing verb is one transaction, so `settle.before` and `settle.after` are the two sides of a commit
boundary: before, nothing is written; after, all of it is, and nobody has heard of it yet.
"""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Literal, NamedTuple, get_args

from segue.errors import StoreUnavailable, UsageError

Verb = Literal[
    "register_worker",
    "submit",
    "settle",
    "hand_on",
    "claim",
    "renew",
    "expire",
    "note",
    "park",
    "go_on",
    "note_needs",
    "append",
    "reserve",
    "spend",
    "record",
    "review",
    "control",
    "register",
    "register_consumer",
    "consume",
    "advance",
    "stumble",
    "unpark",
    "forget_workers",
    "set_pool",
    "untangle",
    "artifact",
]
"""What commits: verbs of the store, `artifact` for a put, and `hand_on` for a settlement that hands a task on."""

"""What writes: the verbs of a store, `artifact` for a put, and `hand_on` for a settlement that hands on."""
Side = Literal["before", "after"]
Fault = Literal["kill", "stop", "lost", "full"]
"""
What happens at a point: SIGKILL; SIGSTOP, until somebody lets the process go on; the store does not answer (before: and
has not written, after: although it has); the disk is full, until somebody makes room.
"""

VERBS: tuple[Verb, ...] = get_args(Verb)
SIDES: tuple[Side, ...] = get_args(Side)
FAULTS: tuple[Fault, ...] = get_args(Fault)
SPRUNG = "sprung"
"""The file that says that a fault has happened."""

DISK = "disk"
"""The folder of the store, apart from the folder of what is noted about it: a full disk must not stop the witnesses."""

BALLAST = "ballast"
"""The file beside the store that fills the disk."""


class Failpoint(NamedTuple):
    """A fault at the n-th time that a point is reached."""

    verb: Verb
    side: Side
    fault: Fault
    nth: int = 1

    def __str__(self) -> str:
        return f"{self.verb}.{self.side}:{self.fault}:{self.nth}"


def parse_failpoint(text: str) -> Failpoint:
    """The failpoint that `settle.before:kill:3` stands for. Raises UsageError."""
    point, _, rest = text.partition(":")
    fault, _, nth = rest.partition(":")
    verb, _, side = point.partition(".")
    if verb not in VERBS or side not in SIDES or fault not in FAULTS or not (nth or "1").isdecimal():
        raise UsageError(
            f"{text!r} is no failpoint",
            remedy=f"It looks like settle.before:kill:3; verbs: {', '.join(VERBS)}; faults: {', '.join(FAULTS)}.",
        )
    return Failpoint(verb, side, fault, int(nth or "1"))


class Trap:
    """Counts how often points are reached, and springs once; a file in the folder says so to others."""

    def __init__(self, failpoint: Failpoint | None, folder: Path) -> None:
        self._failpoint = failpoint
        self._left = failpoint.nth if failpoint is not None else 0
        self._folder = folder

    def reach(self, verb: str, side: Side) -> None:
        """The process is at a point. May not return, or raise `StoreUnavailable`."""
        failpoint = self._failpoint
        if failpoint is None or (failpoint.verb, failpoint.side) != (verb, side):
            return
        self._left -= 1
        if self._left == 0:
            (self._folder / SPRUNG).touch()
            self._spring(failpoint)

    def _spring(self, failpoint: Failpoint) -> None:
        match failpoint.fault:
            case "kill":
                os.kill(os.getpid(), signal.SIGKILL)
            case "stop":
                os.kill(os.getpid(), signal.SIGSTOP)
            case "lost":
                raise StoreUnavailable(f"the answer to {failpoint.verb} was lost on purpose")
            case "full":
                fill_disk(self._folder / DISK / BALLAST)


def fill_disk(ballast: Path) -> None:
    """Write until there is no room."""
    file = os.open(ballast, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        for piece in (bytes(1024 * 1024), bytes(4096), bytes(1)):
            while True:
                try:
                    os.write(file, piece)
                except OSError:
                    break
    finally:
        os.close(file)
