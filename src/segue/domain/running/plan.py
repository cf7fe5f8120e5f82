"""
A graph compiled for running: who waits for whom, and what the settling of a task means for the others.

The state of a run is never asked for here. A settlement says by how many hand-offs each dependent has come nearer
(`Release.resolved`), and the store, which alone sees all workers, finds out in the same transaction who is ready.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace

from segue.domain.graph.graph import (
    Graph,
    Node,
    graph_from_json,
    later_parents_of,
    needed_parents_of,
    parents_of,
)
from segue.domain.records import SINGLE, Limits, NodeNeed, Pin, Pools, Release
from segue.domain.running.terms import Terms, terms_of
from segue.domain.running.tolerance import tolerated_nodes
from segue.domain.settings.node_settings import NodeSettings
from segue.domain.settings.options import RunOptions

MAP_AGENT = "segue.map"
"""
The agent of the task that a mapped node has before its list is known, for every worker can run it; but where a function
decides whether it runs at all, only those who have the agent's code can, and the task is the agent's own.
"""


@dataclass(frozen=True, slots=True)
class Step:
    """One node of a plan."""

    node: Node
    parents: tuple[str, ...]
    needed: frozenset[str]
    later: tuple[str, ...]
    dependents: tuple[str, ...]
    agent: str
    """The agent that must be there to claim this node's own task: `MAP_AGENT` for most mapped nodes."""
    ends_run: bool
    """
    The run waits for this task itself, because nobody needs it: a task that can do without may have come to its end
    already when this one is still tried, or tried again.
    """
    tolerated: bool
    """Whoever would have received what it hands over can do without, and so can the run."""
    need: int
    """How many hand-offs it waits for, before mapped lists have shown how many there are."""
    spare: int | None
    """Where it waits for a quorum: how many of its inputs may be missing."""
    terms: Mapping[str, Terms]
    """What holds for each agent that may come to work on it."""
    pools: Pools
    """The places that a claim of this node's own task takes: none where that only reads a list."""

    @property
    def limits(self) -> Limits | None:
        """The budgets that a store watches, whoever works on it."""
        return self.terms[self.node.agent].limits


@dataclass(frozen=True, slots=True)
class Plan:
    """
    A graph with its steps by name. `waits_for` is the number of tasks whose settling ends the run; `speculative` says
    that some agent may start on a hand-off that is not committed yet, `mapped` that some node is mapped. `needs` are
    the pools that its tasks need.
    """

    graph: Graph
    steps: dict[str, Step]
    waits_for: int
    speculative: bool
    mapped: bool
    needs: tuple[NodeNeed, ...]

    @property
    def roots(self) -> tuple[Step, ...]:
        """The steps that can start at once."""
        return tuple(step for step in self.steps.values() if not step.parents)

    def under(self, options: RunOptions) -> Plan:
        """The same plan in a run with these options, whose budgets and deadline hold for its tasks."""
        if options.deadline is None and not options.budgets:
            return self
        steps = {name: replace(step, terms=terms_of(step.node, options)) for name, step in self.steps.items()}
        return replace(self, steps=steps)


def compile_plan(graph: Graph) -> Plan:
    """Compile a checked graph."""
    parents = {node.name: parents_of(node) for node in graph.nodes}
    dependents: dict[str, list[str]] = {node.name: [] for node in graph.nodes}
    for name, names in parents.items():
        for parent in names:
            dependents[parent].append(name)
    needed = {node.name: needed_parents_of(node) for node in graph.nodes}
    tolerated = tolerated_nodes(graph)
    steps = {
        node.name: Step(
            node=node,
            parents=parents[node.name],
            needed=needed[node.name],
            later=later_parents_of(node),
            dependents=tuple(dependents[node.name]),
            agent=MAP_AGENT if _any_worker_can_map(node) else node.agent,
            ends_run=not any(node.name in needed[dependent] for dependent in dependents[node.name]),
            tolerated=node.name in tolerated,
            need=node.settings.quorum or len(parents[node.name]),
            spare=_spare(graph, node, parents[node.name]),
            terms=terms_of(node, RunOptions()),
            pools=node.settings.pools if node.map_parameter is None else (),
        )
        for node in graph.nodes
    }
    speculative = any(node.settings.speculative for node in graph.nodes)
    mapped = any(node.map_parameter is not None for node in graph.nodes)
    waits_for = sum(step.ends_run for step in steps.values())
    needs = tuple(need for node in graph.nodes for need in node_needs(node))
    return Plan(graph, steps, waits_for, speculative, mapped, needs)


def node_needs(node: Node) -> list[NodeNeed]:
    """How many places of each pool a task of a node takes at most, whichever of its agents works on it."""
    return most_needed(node.name, (node.settings, *(fallback.settings for fallback in node.fallbacks)))


def most_needed(node: str, settings: Iterable[NodeSettings]) -> list[NodeNeed]:
    """How many places of each pool a task of a node takes at most under any of these settings."""
    places: dict[str, int] = {}
    for need in (need for each in settings for need in each.pools):
        places[need.pool] = max(places.get(need.pool, 0), need.places)
    return [NodeNeed(node, pool, most) for pool, most in sorted(places.items())]


def _any_worker_can_map(node: Node) -> bool:
    return node.map_parameter is not None and (node.condition is None or node.condition.function is None)


def plan_from_json(text: str) -> Plan:
    """Compile the plan of a pinned graph."""
    return compile_plan(graph_from_json(text))


ClaimFor = Callable[[str], str | None]
"""
Gives a fresh claim id if the worker that settles would run a task of this agent at once, else None. Nobody is asked for
a task that needs pools: only a store knows whether there are places, and whose turn it is.
"""


def root_releases(plan: Plan, claim_for: ClaimFor) -> tuple[Release, ...]:
    """What the submission of a run releases: every step that waits for nothing."""
    return tuple(
        Release(
            step.node.name,
            SINGLE,
            step.agent,
            0,
            0,
            (),
            (),
            False,
            None if step.pools else claim_for(step.agent),
            limits=step.limits,
            pools=step.pools,
        )
        for step in plan.roots
    )


def birth_of(step: Step) -> Release:
    """What brings a task into being, waiting for all that it needs, before anything has been released to it."""
    head = (step.node.name, SINGLE, step.agent, step.need, 0, step.parents)
    return Release(*head, None, False, None, step.spare, step.limits, step.pools)


def settle_releases(
    plan: Plan, name: str, item: int, pin: Pin | None, claim_for: ClaimFor
) -> tuple[Release, ...]:
    """
    What the settling of a task of node `name` means for its dependents.

    `pin` is the hand-off that it leaves; None if it leaves none (it was skipped). A failed hand-off is pinned too, so
    that a dependent which can do without the output still sees why.
    """
    sender = plan.steps[name]
    if not sender.dependents:
        return ()
    usable = pin is not None and pin.status == "complete"
    pins = () if pin is None else (pin,)
    mapped = sender.node.map_parameter is not None
    missing = inputs_from(sender.node) if mapped and item == SINGLE else 0
    releases = []
    for dependent in sender.dependents:
        step = plan.steps[dependent]
        quorum = step.spare is not None
        releases.append(
            Release(
                dependent,
                SINGLE,
                step.agent,
                step.need,
                1 if usable or not quorum else -missing,
                step.parents,
                pins if len(step.parents) == 1 and not mapped else None,
                not usable and (quorum or name in step.needed),
                None if step.pools else claim_for(step.agent),
                step.spare,
                step.limits,
                step.pools,
            )
        )
    return tuple(releases)


def expansion_releases(
    plan: Plan, name: str, count: int, pins: tuple[Pin, ...], claim_for: ClaimFor
) -> tuple[Release, ...]:
    """
    What it means that the list of the mapped node `name` has `count` elements: so many tasks that are ready now, with
    the mapping task's own inputs, and dependents that wait for them all instead of one. A quorum was reckoned with as
    many elements as the list may have at most; those that there are not are missing.
    """
    step = plan.steps[name]
    agent, pools = step.node.agent, step.node.settings.pools
    asked = _nobody if pools else claim_for
    items = (
        Release(name, item, agent, 0, 0, step.parents, pins, False, asked(agent), None, step.limits, pools)
        for item in range(count)
    )
    missing = inputs_from(step.node) - count
    waiting = (
        release._replace(resolved=1 - count, broken=False)
        if release.spare is None
        else release._replace(resolved=-missing, broken=missing > 0)
        for release in settle_releases(plan, name, SINGLE, None, claim_for if count == 0 else _nobody)
    )
    return (*items, *waiting)


def run_resolved(plan: Plan, name: str, count: int = 0) -> int:
    """By how many tasks the end of the run comes nearer when a task of `name` settles, or expands into `count`."""
    return 1 - count if plan.steps[name].ends_run else 0


def _nobody(agent: str) -> None:
    return None


def inputs_from(node: Node) -> int:
    """How many inputs a node may give a quorum at most: one, or one for each element of its list."""
    return 1 if node.map_parameter is None else node.map_limit


def _spare(graph: Graph, node: Node, parents: Iterable[str]) -> int | None:
    quorum = node.settings.quorum
    if quorum is None:
        return None
    return sum(inputs_from(graph.node(parent)) for parent in parents) - quorum
