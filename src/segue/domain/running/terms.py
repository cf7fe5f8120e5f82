"""Under which terms an agent works on a task in a run: its settings, and the budgets that hold there."""

from __future__ import annotations

from dataclasses import dataclass

from segue.domain.graph.graph import Node
from segue.domain.records import Limits
from segue.domain.settings.budgets import Budgets, resolved
from segue.domain.settings.node_settings import NodeSettings
from segue.domain.settings.options import RunOptions


@dataclass(frozen=True, slots=True)
class Terms:
    """
    The terms of one agent. `limits` are the budgets that a store watches, None if there are none; `fallback` is the
    agent that comes next when this one has failed for good.
    """

    settings: NodeSettings
    timeout_seconds: float | None
    idle_seconds: float | None
    limits: Limits | None
    fallback: str | None


def terms_of(node: Node, options: RunOptions) -> dict[str, Terms]:
    """The terms of every agent that may come to work on a node, the first one first."""
    chain = [(node.agent, node.settings), *((each.agent, each.settings) for each in node.fallbacks)]
    following = [*(agent for agent, _ in chain[1:]), None]
    return {
        agent: _terms(settings, fallback, options.budgets, options.deadline)
        for (agent, settings), fallback in zip(chain, following, strict=True)
    }


def _terms(settings: NodeSettings, fallback: str | None, run: Budgets, deadline: float | None) -> Terms:
    budgets = resolved(run, settings.budgets)
    limits = Limits(budgets["queue_seconds"], budgets["deadline_seconds"], deadline)
    return Terms(
        settings=settings,
        timeout_seconds=budgets["timeout_seconds"],
        idle_seconds=budgets["idle_seconds"],
        limits=None if limits == Limits() else limits,
        fallback=fallback,
    )
