"""Agents and types that the tests of graphs share."""

from typing import Any

import pytest
from pydantic import BaseModel

from segue.domain.envelope.handoff import Handoff, Later, Ref
from segue.domain.graph.agent import agent
from segue.domain.graph.workflow import workflow
from segue.errors import GraphError


class Findings(BaseModel):
    """What research finds."""

    competitors: list[str]
    risky: bool = False


class Prices(BaseModel):
    """What things cost."""

    by_name: dict[str, float]


class Risks(BaseModel):
    """What may go wrong."""

    worst: str


@agent
async def research(goal: str) -> Handoff[Findings]:
    """Find competitors."""
    return Handoff(Findings(competitors=[goal]))


@agent
async def price(found: Findings) -> Prices:
    """Price them."""
    return Prices(by_name={})


@agent
async def risks(found: Handoff[Findings]) -> Risks:
    """See what may go wrong."""
    return Risks(worst=found.summary)


@agent
def measure(name: str, depth: int = 1) -> int:
    """Measure one."""
    return len(name) * depth


@agent
async def write(found: Ref[Findings], prices: Later[Prices], risks: Risks) -> str:
    """Write it up."""
    return found.summary


@agent
def add(numbers: list[int]) -> int:
    """Add numbers up."""
    return sum(numbers)


def problems(function: Any) -> list[str]:
    """What building a function as a workflow says is wrong, without the places."""
    with pytest.raises(GraphError) as caught:
        workflow(function).build()
    return [problem.partition(f" ({__file__}")[0].partition(" (/")[0] for problem in caught.value.problems]
