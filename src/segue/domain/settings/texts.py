"""Texts and lists of them that users give beside the work itself: whether a store can keep them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from segue.domain.envelope.payload import is_storable
from segue.errors import UsageError

KEY_CHARACTERS = 1_000
"""The longest key of a run: it names a piece of work and is looked up with every submission."""

GOAL_CHARACTERS = 100_000
"""The longest goal, and the longest constraint: they go with every hand-off of a run."""


def checked_text(name: str, value: Any, most_characters: int) -> str:
    """A text that is not empty, not too long, and that every store can keep. Raises UsageError."""
    if not isinstance(value, str):
        raise UsageError(f"{name} is {type(value).__name__} and no text", remedy="Give a text.")
    if not value.strip():
        raise UsageError(f"{name} is empty", remedy="Give it a text, or leave it out.")
    if len(value) > most_characters:
        raise UsageError(
            f"{name} has {len(value):,} characters",
            remedy=f"At most {most_characters:,} are kept. What is longer belongs in the input or an Artifact.",
        )
    if not is_storable(value):
        raise UsageError(
            f"{name} holds a character that not every store can keep: {value[:60]!r}",
            remedy="Leave out NUL characters and lone surrogates.",
        )
    return value


def checked_texts(name: str, values: Any, most_characters: int) -> tuple[str, ...]:
    """Several such texts. Raises UsageError, also for a single text, which would be taken apart."""
    if isinstance(values, str) or not isinstance(values, Iterable):
        raise UsageError(f"{name} is no list of texts", remedy=f'Write {name}=["...", "..."].')
    return tuple(checked_text(f"{name}[{place}]", each, most_characters) for place, each in enumerate(values))
