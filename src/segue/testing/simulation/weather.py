"""
Which faults a world has, and when: drawn from its seed before it begins.

Each kind of fault is in a world or not, so that some worlds have many kinds, some one, and some none ("swarm testing",
Groce 2012): faults that always come together hide each other. A few seeds are special. Three kinds of storm are
larger: in one answers get lost and nothing else happens, one has more of what superseded workers come from, one more
crashes. In watched worlds every process has a monitor. And in still worlds nothing goes wrong but that wake-ups get
lost, so that only the net helps.
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

WRITING = frozenset({"submit", "settle", "claim", "note", "control", "consume", "advance", "stumble"})

Season = Literal["ordinary", "answers", "delays", "crashes", "still", "watched"]
SPECIAL_EVERY = 40
SPECIAL: dict[int, Season] = {3: "answers", 7: "delays", 13: "still", 17: "crashes", 23: "watched"}
"""Seeds that leave these over when divided by that are special."""

SLOTS: dict[Season, tuple[int, ...]] = {
    "ordinary": (1, 2, 2, 3, 3),
    "answers": (3,),
    "delays": (3,),
    "crashes": (3,),
    "still": (2,),
    "watched": (3,),
}
"""How many processes there are at a time."""

KINDS_OF: dict[Season, frozenset[str]] = {
    "watched": frozenset(
        {
            "refused",
            "written and refused",
            "doubled",
            "slow",
            "crash before",
            "crash after",
            "kill",
            "stop",
            "pause",
        }
    ),
    "still": frozenset({"wake-up lost"}),
    "answers": frozenset({"refused", "written and refused", "doubled"}),
    "delays": frozenset(
        {"refused", "written and refused", "doubled", "slow", "outage", "pause", "stop", "wall clock jump"}
    ),
    "crashes": frozenset(
        {"written and refused", "slow", "crash before", "crash after", "kill", "stop", "pause", *WAKE_UPS}
    ),
}

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

    def __init__(self, chance: Random, seed: int) -> None:
        self._chance = chance
        self.season: Season = SPECIAL.get(seed % SPECIAL_EVERY, "ordinary")
        self.storm = storm = self.season in ("answers", "delays", "crashes")
        self.still = self.season == "still"
        self.slots = chance.choice(SLOTS[self.season])
        self.lease_seconds = (
            2.0 if self.season == "answers" else 1.0 if storm else chance.choice((0.6, 1.0, 2.0))
        )
        self.kinds = self._draw_kinds()
        long = storm or self.season in ("still", "watched")
        self.calm_at = 0.0 if not self.kinds else 12.0 if long else chance.uniform(0.5, 3.0)
        self.mean_latency_seconds = chance.choice((0.0005, 0.002, 0.01))
        self._fates = tuple(fate for fate in FATES if fate in self.kinds)
        self._rate = 0.08 if self.season == "answers" else 0.1 if storm else chance.choice((0.03, 0.1, 0.2))
        self._wake_ups = tuple(kind for kind in WAKE_UPS if kind in self.kinds)
        self.blows = self._draw_blows()
        self._outages = [
            (blow.at, blow.at + blow.seconds) for blow in self.blows if blow.kind.endswith("outage")
        ]
        if self._outages:
            self.calm_at = max(self.calm_at, *(end for _, end in self._outages))

    def _draw_kinds(self) -> frozenset[str]:
        chance = self._chance
        if self.season in KINDS_OF:
            return KINDS_OF[self.season]
        if chance.random() < CALM_SHARE:
            return frozenset()
        share = chance.uniform(0.15, 0.75)
        return frozenset(kind for kind in KINDS if chance.random() < share)

    def _draw_blows(self) -> list[Blow]:
        chance, blows = self._chance, []
        lengths = {
            "outage": (0.1, 0.5 if self.storm else 2.5 * self.lease_seconds),
            "long outage": (10.5, 13.0),
            "pause": (0.3, 2.5 * self.lease_seconds),
        }
        for kind in SUDDEN:
            if kind not in self.kinds or (kind == "long outage" and (self.storm or chance.random() < 0.8)):
                continue
            times = 1 if kind == "long outage" else chance.randint(1, 3) * (1 + self.storm)
            if self.season in ("delays", "watched"):
                times *= {"pause": 6, "stop": 2}.get(kind, 1)
            for _ in range(times):
                length = chance.uniform(*lengths.get(kind, (0.0, 0.0)))
                at, slot = chance.uniform(0.05, self.calm_at), chance.randrange(self.slots)
                blows.append(Blow(at, kind, slot, length))
        return sorted(blows)

    def fate(self, verb: str, now: float) -> Fate:
        """What becomes of a call that is sent now. Those that write have more to fear."""
        rate = self._rate if verb in WRITING else self._rate / 8
        rate *= 2.0 if verb == "settle" else 1.0
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
        if not self._wake_ups or now >= self.calm_at or self._chance.random() > (0.9 if self.still else 0.5):
            return "wake-up", (latency,)
        kind = self._chance.choice(self._wake_ups)
        if kind == "wake-up lost":
            return kind, ()
        if kind == "wake-up late":
            return kind, (latency + self._chance.uniform(0.1, 3.0),)
        return kind, (latency, latency + self._chance.uniform(0.0, 0.1))
