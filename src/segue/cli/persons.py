"""Who is at the keyboard: whose word it is that a command writes down."""

from __future__ import annotations

import getpass

from segue.errors import UsageError


def person_named(by: str | None) -> str:
    """The name that `--by` gives, else that of the user. Raises UsageError where the system knows none."""
    if by is not None:
        return by
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        raise UsageError("nobody knows who you are here", remedy="Say who wants it: --by NAME") from None
