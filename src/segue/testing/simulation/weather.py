"""
Which faults a world has, and when: drawn from its seed before it begins.

Each kind of fault is in a world or not, so that some worlds have many kinds, some one, and some none ("swarm testing",
Groce 2012): faults that always come together hide each other.
"""

from __future__ import annotations

from random import Random  # noqa: TID251 (the one of a world's seed)
from typing import Literal, NamedTuple

Fate = Literal[
    "answered",
    "refused",
    "written and refused",
    "doubled",
    "slow",
    "crash before",
    "crash after",
]
"""What becomes of one call: the last two take the process with them, before or after the store has written."""

FATES: tuple[Fate, ...] = (
    "refused",
    "written and refused",
    "doubled",
    "slow",
    "crash before",
    "crash after",
)
WAKE_UPS = ("wake-up lost", "wake-up doubled", "wake-up late")
SUDDEN = ("outage", "long outage", "pause", "kill", "stop", "wall clock jump")
CLOCKS = ("skew",)

KINDS = (*FATES, *WAKE_UPS, *SUDDEN, *CLOCKS)

WRITING = frozenset({"submit", "settle", "claim", "note", "cancel"})

CALM_SHARE = 0.06
"""Of so many worlds nothing is expected but that each agent runs exactly once."""


class Blow(NamedTuple):
    """A fault with a time: something happens to a process, or to the store, and lasts for a while."""

    at: float
    kind: str
    slot: int
    seconds: float


class Weather:
    """The faults of one world. After `calm_at` there are none, and everything must come to its end."""

    def __init__(self, chance: Random, lease_seconds: float, slots: int) -> None:
        self._chance = chance
        calm = chance.random() < CALM_SHARE
        share = chance.uniform(0.15, 0.75)
        self.kinds = frozenset() if calm else frozenset(k for k in KINDS if chance.random() < share)
        self.calm_at = 0.0 if not self.kinds else chance.uniform(0.5, 4.0)
        self.mean_latency_seconds = chance.choice((0.0005, 0.002, 0.01))
        self._fates = tuple(fate for fate in FATES if fate in self.kinds)
        self._rate = chance.choice((0.03, 0.1, 0.2))
        self._wake_ups = tuple(kind for kind in WAKE_UPS if kind in self.kinds)
        self.blows = self._draw_blows(lease_seconds, slots)
        self._outages = [
            (blow.at, blow.at + blow.seconds) for blow in self.blows if blow.kind.endswith("outage")
        ]
        if self._outages:
            self.calm_at = max(self.calm_at, *(end for _, end in self._outages))

    def _draw_blows(self, lease_seconds: float, slots: int) -> list[Blow]:
        chance, blows = self._chance, []
        lengths = {
            "outage": (0.1, 2.5 * lease_seconds),
            "long outage": (10.5, 13.0),
            "pause": (0.1, 3.0 * lease_seconds),
        }
        for kind in SUDDEN:
            if kind not in self.kinds or (kind == "long outage" and chance.random() < 0.8):
                continue
            for _ in range(1 if kind == "long outage" else chance.randint(1, 3)):
                length = chance.uniform(*lengths.get(kind, (0.0, 0.0)))
                blows.append(Blow(chance.uniform(0.0, self.calm_at), kind, chance.randrange(slots), length))
        return sorted(blows)

    def fate(self, verb: str, now: float) -> Fate:
        """What becomes of a call that is sent now. Those that write have more to fear."""
        rate = self._rate if verb in WRITING else self._rate / 8
        if self._fates and now < self.calm_at and self._chance.random() < rate:
            return self._chance.choice(self._fates)
        return "answered"

    def latency(self) -> float:
        """Seconds on the way from a process to the store, or back."""
        return self._chance.expovariate(1.0) * self.mean_latency_seconds

    def is_away(self, now: float) -> bool:
        """Whether the store cannot be reached."""
        return any(begin <= now < end for begin, end in self._outages)

    def was_away(self, since: float, now: float) -> bool:
        """Whether the store could not be reached at some time in between."""
        return any(begin <= now and since < end for begin, end in self._outages)

    def wake_up(self, now: float) -> tuple[str, tuple[float, ...]]:
        """What becomes of a wake-up, and after how many seconds it arrives, if it does."""
        latency = self.latency()
        if not self._wake_ups or now >= self.calm_at or self._chance.random() > 0.5:
            return "wake-up", (latency,)
        kind = self._chance.choice(self._wake_ups)
        if kind == "wake-up lost":
            return kind, ()
        if kind == "wake-up late":
            return kind, (latency + self._chance.uniform(0.1, 3.0),)
        return kind, (latency, latency + self._chance.uniform(0.0, 0.1))
