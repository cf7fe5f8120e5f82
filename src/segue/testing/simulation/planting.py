"""How a mutant is described and planted: what keeps a rule is replaced for a while by something that does not."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from segue.testing.simulation.weather import SPECIAL, SPECIAL_EVERY, Season

Make = Callable[[Any], Any]


@dataclass(slots=True)
class Mutant:
    """A rule in a sentence, and what is replaced to break it: owner, attribute, what is made of the original."""

    rule: str
    season: Season
    patches: list[tuple[Any, str, Make]] = field(default_factory=list)

    @property
    def seeds(self) -> range:
        """Where it is looked for: the first worlds of its season."""
        first = next(seed for seed, season in SPECIAL.items() if season == self.season)
        return range(first, SEEDS_EACH * SPECIAL_EVERY, SPECIAL_EVERY)


SEEDS_EACH = 10
"""In so many worlds a mutant must be caught."""

REGISTRY: dict[str, Mutant] = {}


def without(
    name: str, rule: str, *places: tuple[Any, str], season: Season = "delays"
) -> Callable[[Make], Make]:
    """
    Register a mutant: the code without `rule`. The decorated function makes the replacement from the original; `season`
    is that of the worlds in which it is looked for.
    """

    def register(make: Make) -> Make:
        mutant = REGISTRY.setdefault(name, Mutant(rule, season))
        mutant.rule = mutant.rule or rule
        mutant.patches += [(owner, attribute, make) for owner, attribute in places]
        return make

    return register


@contextmanager
def planted(name: str | None) -> Iterator[None]:
    """Take a rule out of the code for a while; none if no mutant is named."""
    patches = REGISTRY[name].patches if name is not None else []
    own = [(owner, attribute, vars(owner).get(attribute)) for owner, attribute, _ in patches]
    try:
        for owner, attribute, make in patches:
            setattr(owner, attribute, make(getattr(owner, attribute)))
        yield
    finally:
        for owner, attribute, original in own:
            if original is None:  # it had inherited it
                delattr(owner, attribute)
            else:
                setattr(owner, attribute, original)
