"""Where a hand-off comes from, as far as the pinned graph and the options of its run say."""

from __future__ import annotations

from segue.domain.envelope.body import parts_of
from segue.domain.envelope.sent import AgentRef, Origin
from segue.domain.graph.graph import Node
from segue.domain.records import task_name
from segue.domain.rows import StoredHandoff
from segue.domain.running.plan import Plan
from segue.domain.settings.options import RunOptions

UNKNOWN_VERSION = "unknown"
"""The version of an agent that the graph does not know: somebody gave it the task."""


def origin_of(plan: Plan, options: RunOptions, stored: StoredHandoff) -> Origin:
    """
    What no hand-off of a task repeats, because it follows from the run. One of another agent than the graph calls names
    that itself.
    """
    node, item = stored.node, stored.item
    sender = plan.steps[node].node
    source = AgentRef(sender.agent, sender.agent_version)
    agent = parts_of(stored.record).get("agent")
    if agent is not None:
        source = AgentRef(agent, _version_of(plan, sender, agent))
    receivers = [step.node for step in plan.steps.values() if node in step.parents or node in step.later]
    return Origin(
        source=source,
        targets=tuple(dict.fromkeys(AgentRef(each.agent, each.agent_version) for each in receivers)),
        schema_version=source.version,
        goal=options.goal,
        hops=hops_of(plan, node, item),
        deadline=options.deadline,
        trace=options.trace,
    )


def _version_of(plan: Plan, sender: Node, agent: str) -> str:
    """The version of an agent that was put in the place of another, as far as the graph knows it."""
    known = {step.node.agent: step.node.agent_version for step in plan.steps.values()}
    known |= {each.agent: each.agent_version for each in sender.fallbacks}
    return known.get(agent, UNKNOWN_VERSION)


def hops_of(plan: Plan, node: str, item: int) -> tuple[str, ...]:
    """The way of a hand-off by the first parent of each task, from a root of the run to the task itself."""
    hops = [task_name(node, item)]
    parents = plan.steps[node].parents
    while parents:
        hops.append(parents[0])
        parents = plan.steps[parents[0]].parents
    return tuple(reversed(hops))
