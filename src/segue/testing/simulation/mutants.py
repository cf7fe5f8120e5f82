"""
Mutants: the code without one of its rules.

A simulation that does not catch each of them within a few seeds is not worth having.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple


class Mutant(NamedTuple):
    """A rule in a sentence, and what is put in the place of what keeps it: (owner, attribute, replacement of it)."""

    rule: str
    patches: tuple[tuple[Any, str, Callable[[Any], Any]], ...]


MUTANTS: dict[str, Mutant] = {}


@contextmanager
def planted(name: str | None) -> Iterator[None]:
    """Take a rule out of the code for a while; none if no mutant is named."""
    patches = MUTANTS[name].patches if name is not None else ()
    originals = [(owner, attribute, getattr(owner, attribute)) for owner, attribute, _ in patches]
    try:
        for (owner, attribute, make), (_, _, original) in zip(patches, originals, strict=True):
            setattr(owner, attribute, make(original))
        yield
    finally:
        for owner, attribute, original in originals:
            setattr(owner, attribute, original)
