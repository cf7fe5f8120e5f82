"""Who does something, and why: it is written down, and shown to everybody who looks."""

from __future__ import annotations

from typing import Any

from segue.domain.envelope.limits import SAID_CHARACTERS
from segue.domain.envelope.payload import is_storable
from segue.errors import UsageError


def check_said(by: Any, **texts: Any) -> None:
    """Whether who does something, and the `texts` about it, can be written down. Raises UsageError."""
    if not isinstance(by, str) or not by.strip():
        raise UsageError(f"by={by!r} is nobody's name", remedy='Say who does it: by="Ana"; it is recorded.')
    for name, text in {"by": by, **texts}.items():
        if isinstance(text, str) and len(text) > SAID_CHARACTERS:
            raise UsageError(
                f"{name} has {len(text):,} characters, and SAID_CHARACTERS is {SAID_CHARACTERS:,}",
                remedy="Say it in short, and where the rest of it can be read.",
            )
        if not isinstance(text, str) or not is_storable(text):
            raise UsageError(
                f"{name} is {text!r}, which no store can keep", remedy="Give a text of whole characters."
            )
