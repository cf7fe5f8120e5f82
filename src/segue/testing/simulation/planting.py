"""How a mutant is described and planted: what keeps a rule is replaced for a while by something that does not."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

Make = Callable[[Any], Any]


@dataclass(slots=True)
class Mutant:
    """A rule in a sentence, and what is replaced to break it: owner, attribute, what is made of the original."""

    rule: str
    patches: list[tuple[Any, str, Make]] = field(default_factory=list)


REGISTRY: dict[str, Mutant] = {}


def without(name: str, rule: str, *places: tuple[Any, str]) -> Callable[[Make], Make]:
    """Register a mutant: the code without `rule`. The decorated function makes the replacement from the original."""

    def register(make: Make) -> Make:
        mutant = REGISTRY.setdefault(name, Mutant(rule))
        mutant.patches += [(owner, attribute, make) for owner, attribute in places]
        return make

    return register


@contextmanager
def planted(name: str | None) -> Iterator[None]:
    """Take a rule out of the code for a while; none if no mutant is named."""
    patches = REGISTRY[name].patches if name is not None else []
    originals = [(owner, attribute, vars(owner)[attribute]) for owner, attribute, _ in patches]
    try:
        for (owner, attribute, make), (*_, original) in zip(patches, originals, strict=True):
            setattr(owner, attribute, make(original))
        yield
    finally:
        for owner, attribute, original in originals:
            setattr(owner, attribute, original)
