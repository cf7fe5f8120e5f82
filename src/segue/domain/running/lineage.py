"""Where a hand-off comes from, as far as the pinned graph and the options of its run say."""

from __future__ import annotations

from segue.domain.envelope.body import parts_of
from segue.domain.envelope.sent import AgentRef, Origin
from segue.domain.records import task_name
from segue.domain.rows import StoredHandoff
from segue.domain.running.plan import Plan
from segue.domain.settings.options import RunOptions


def origin_of(plan: Plan, options: RunOptions, stored: StoredHandoff) -> Origin:
    """What no hand-off of a task repeats, because it follows from the run. One of a fallback names its agent itself."""
    node, item = stored.node, stored.item
    sender = plan.steps[node].node
    source = AgentRef(sender.agent, sender.agent_version)
    agent = parts_of(stored.record).get("agent")
    if agent is not None:
        versions = {each.agent: each.agent_version for each in sender.fallbacks}
        source = AgentRef(agent, versions.get(agent, "1"))
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


def hops_of(plan: Plan, node: str, item: int) -> tuple[str, ...]:
    """The way of a hand-off by the first parent of each task, from a root of the run to the task itself."""
    hops = [task_name(node, item)]
    parents = plan.steps[node].parents
    while parents:
        hops.append(parents[0])
        parents = plan.steps[parents[0]].parents
    return tuple(reversed(hops))
