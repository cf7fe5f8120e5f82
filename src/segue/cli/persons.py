"""Who is at the keyboard: whose word it is that a command writes down, and why they say it."""

from __future__ import annotations

import getpass
from typing import Annotated

import typer

from segue.errors import UsageError

ByOption = Annotated[
    str | None, typer.Option(metavar="NAME", help="Who says so; your user name if you say nothing.")
]
NoteOption = Annotated[str, typer.Option(metavar="TEXT", help="Why, for the record.")]


def person_named(by: str | None) -> str:
    """The name that `--by` gives, else that of the user. Raises UsageError where the system knows none."""
    if by is not None:
        return by
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        raise UsageError("nobody knows who you are here", remedy="Say who says so: --by NAME") from None
