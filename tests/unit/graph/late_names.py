"""Agents under `from __future__ import annotations`, naming classes that are defined in odd places."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from segue.domain.graph.agent import Agent, agent

if TYPE_CHECKING:
    from decimal import Decimal


@agent
def forward(found: Further) -> list[Further]:
    """Name a class that is defined below."""
    return [found]


@agent
def only_for_checkers(price: Decimal) -> int:
    """Name a class that is not there at run time."""
    return int(price)


class Further:
    """Defined after the agent that names it."""


def local_class() -> Agent[Any]:
    """An agent that names a class of the function it is declared in."""

    class Local:
        pass

    @agent
    def inner(found: Local) -> None:
        """Name a local class."""

    assert Local is not None
    return inner


def closed_over(kind: type) -> Agent[Any]:
    """An agent that uses a class it closes over."""

    def inner(found: kind) -> bool:  # type: ignore[valid-type]
        return isinstance(found, kind)

    return agent(inner)
