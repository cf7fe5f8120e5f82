"""Leaving a process that has nothing more to do, whatever runs on in it."""

from __future__ import annotations

import os
import signal
import sys
import threading

EXIT_SECONDS = 2.0
"""How long threads that nobody can stop may keep a process that has nothing more to do."""


def leave_soon(code: int) -> None:
    """
    End this process with an exit code, at a Ctrl-C or soon, if it does not end by itself: the thread of a `def` agent
    cannot be stopped, and Python would wait for it.
    """

    def leave(*_: object) -> None:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)

    signal.signal(signal.SIGINT, leave)
    timer = threading.Timer(EXIT_SECONDS, leave)
    timer.daemon = True
    timer.start()
