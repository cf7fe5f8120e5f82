"""What happened in a world: the last of it for whoever has to understand a failure, all of it as one digest."""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Callable

KEPT = 30
"""How many of the last events a failure shows."""


class Trace:
    """Takes note of everything. `show` gets each line as it comes; `digest` tells whether two worlds were the same."""

    def __init__(self, *, hashed: bool = False, show: Callable[[str], None] | None = None) -> None:
        self._last: deque[tuple[float, tuple[object, ...]]] = deque(maxlen=KEPT)
        self._hash = hashlib.sha256() if hashed else None
        self._show = show
        self.now = 0.0

    def note(self, who: str, *what: object) -> None:
        """Something happened now."""
        entry = (self.now, (who, *what))
        self._last.append(entry)
        if self._hash is not None:
            self._hash.update(_line(entry).encode())
        if self._show is not None:
            self._show(_line(entry))

    @property
    def last_lines(self) -> list[str]:
        """The last that happened."""
        return [_line(entry) for entry in self._last]

    @property
    def digest(self) -> str:
        """The digest of all that happened. Raises ValueError if it was not asked for."""
        if self._hash is None:
            raise ValueError("this trace is not hashed")
        return self._hash.hexdigest()


def _line(entry: tuple[float, tuple[object, ...]]) -> str:
    at, (who, *what) = entry
    return f"{at:9.4f}  {who:<6} {' '.join(str(each) for each in what if each is not None)}"
