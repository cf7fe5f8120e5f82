"""What a run, or a part of it, may spend: tokens, cost, calls, hand-offs."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from segue.domain.envelope.limits import INTEGER_MAX
from segue.domain.records import Amounts
from segue.errors import UsageError

UNITS = ("tokens", "cost", "calls", "handoffs")

COST_PARTS = 1_000_000_000
"""Cost is counted in whole billionths, so that what was added up can be compared."""


@dataclass(frozen=True, slots=True)
class Spending:
    """
    A spending budget: `Spending(tokens=100_000, cost=2.0, calls=50, handoffs=30)`. What is not given has no limit.

    `cost` is in whatever money `Usage.cost` is, `handoffs` counts `HandTo` and `ctx.delegate`. Zero means zero. Raises
    UsageError for what is no number from 0.
    """

    tokens: int | None = None
    cost: float | None = None
    calls: int | None = None
    handoffs: int | None = None

    def __post_init__(self) -> None:
        amounts_of("Spending", tokens=self.tokens, cost=self.cost, calls=self.calls, handoffs=self.handoffs)

    @property
    def amounts(self) -> Amounts:
        """The same as whole numbers by unit."""
        return amounts_of(
            "Spending", tokens=self.tokens, cost=self.cost, calls=self.calls, handoffs=self.handoffs
        )


def amounts_in(budget: Any) -> Amounts:
    """The amounts of what somebody has given as a budget. Raises UsageError."""
    if not isinstance(budget, Spending):
        raise UsageError(f"budget={budget!r} is no Spending", remedy="Write budget=Spending(tokens=100_000).")
    return budget.amounts


def amounts_of(what: str, **given: Any) -> Amounts:
    """Amounts as whole numbers, what is None left out; a part of the smallest cost counts as one. Raises UsageError."""
    amounts: list[tuple[str, int]] = []
    for unit in UNITS:
        value = given.get(unit)
        if value is None:
            continue
        kinds, parts = ((int, float), COST_PARTS) if unit == "cost" else ((int,), 1)
        if type(value) not in kinds or not value >= 0:
            number = "number" if unit == "cost" else "whole number"
            raise UsageError(f"{what}: {unit}={value!r} is no {number} from 0", remedy="Zero means zero.")
        if value > INTEGER_MAX // parts:
            raise UsageError(
                f"{what}: {unit} is more than can be counted",
                remedy=f"Use a number up to {INTEGER_MAX // parts:,}, or leave it out where nothing limits it.",
            )
        amounts.append((unit, math.ceil(round(value * COST_PARTS, 3)) if unit == "cost" else value))
    return tuple(amounts)


def told(unit: str, amount: int) -> float:
    """An amount as people count it."""
    return amount / COST_PARTS if unit == "cost" else amount


def amounts_used(usage: Mapping[str, Any]) -> Amounts:
    """What the usage on a hand-off comes to: one call, its tokens and its cost, as far as they are known."""
    known = [usage[name] for name in ("input_tokens", "output_tokens") if name in usage]
    return amounts_of("usage", tokens=sum(known) if known else None, cost=usage.get("cost"), calls=1)
