"""What a task that was handed on goes on from, told from the pins of its claim: the latest word stands first."""

from __future__ import annotations

from collections.abc import Sequence

from segue.domain.records import HANDED_ON, Claim, Pin, is_grown


def pin_handed_on(pins: Sequence[Pin]) -> Pin | None:
    """The hand-off that an attempt goes on from, if its task was handed on."""
    return pins[0] if pins and pins[0].status == HANDED_ON else None


def pins_handed_on(pins: Sequence[Pin], pin: Pin) -> tuple[Pin, ...]:
    """What the next agent of a task goes on from: the latest word first."""
    return (pin, *pins)


def pins_anew(node: str, pins: Sequence[Pin]) -> tuple[Pin, ...]:
    """What a task goes on from that is begun anew: with its first agent, so without what was handed on since."""
    return tuple(pin for pin in pins if pin.status != HANDED_ON or (is_grown(node) and pin.version == 1))


def scope_of(claim: Claim) -> str:
    """
    What tells the steps and delegations of one agent of a task from those of another: empty for the first.

    Two agents may well call a step by the same name, and an agent that comes again starts afresh.
    """
    pin = pin_handed_on(claim.pins)
    return "" if pin is None or (is_grown(claim.token.node) and pin.version == 1) else f"{pin.digest[7:15]}/"
