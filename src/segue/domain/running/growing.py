"""
A graph that grows while it runs: what a task delegates becomes a task of its own, appended to the run.

The new node is named after the task that delegates and the agent: `triage/research.1`. It begins with a hand-off like
one that was handed on, written by the task that delegates, and so its worker finds its arguments and its path there.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import replace

from segue.domain.envelope.payload import digest_of
from segue.domain.envelope.stored import understood
from segue.domain.graph.graph import Graph, Node, node_from
from segue.domain.records import Token, task_name
from segue.domain.rows import GrownRecord
from segue.domain.running.handing_on import Way, looped
from segue.domain.running.plan import Plan, Step
from segue.domain.running.terms import terms_of
from segue.domain.settings.options import RunOptions

DEPTH = 10
"""How deep delegations may go into one another. Each level is a task that waits for the next."""


def grown_plan(plan: Plan, grown: Iterable[GrownRecord], options: RunOptions) -> Plan:
    """A plan with what was appended to its run."""
    new = [grown_node(each) for each in grown if each.node not in plan.steps]
    steps = plan.steps | {node.name: step_of(node, options) for node in new}
    graph = replace(plan.graph, nodes=(*plan.graph.nodes, *new))
    return replace(plan, graph=graph, steps=steps)


def grown_graph(graph: Graph, grown: Iterable[GrownRecord]) -> Graph:
    """
    A graph with what was appended to its run, as it is drawn: a delegation comes after the task that asked. To the
    engine it waits for nobody.
    """
    drawn = (replace(grown_node(each), after=(each.parent,)) for each in grown)
    return replace(graph, nodes=(*graph.nodes, *drawn))


def grown_node(grown: GrownRecord) -> Node:
    """The node that was appended. Raises StoreCorrupt for what no Segue wrote."""
    with understood(f"the node {grown.node} of run {grown.run}"):
        return node_from(json.loads(grown.document))


def step_of(node: Node, options: RunOptions) -> Step:
    """
    The step of an appended node. It waits for nobody, and nobody in the graph waits for it: the run does. Whether its
    failure matters is for the task to say that awaits it.
    """
    return Step(
        node=node,
        parents=(),
        needed=frozenset(),
        later=(),
        dependents=(),
        agent=node.agent,
        ends_run=True,
        tolerated=True,
        need=0,
        spare=None,
        terms=terms_of(node, options),
        pools=node.settings.pools,
    )


def key_of(scope: str, agent: str, arguments: str) -> str:
    """What a delegation is found again by when its task is tried again: who asked whom, and for what."""
    return digest_of(f"{scope}{agent} {arguments}".encode())


def children_of(parent: Token, grown: Sequence[GrownRecord], key: str) -> list[GrownRecord]:
    """What a task has delegated before under a key, in this order."""
    return [each for each in grown if (each.parent, each.parent_item, each.key) == (*parent[1:3], key)]


def child_name(parent: Token, agent: str, grown: Sequence[GrownRecord]) -> str:
    """The name of the next node that a task appends for an agent."""
    stem = f"{task_name(parent.node, parent.item)}/{agent}"
    taken = sum(each.node.rpartition(".")[0] == stem for each in grown)
    return f"{stem}.{taken + 1}"


def check_depth(parent: Token, way: Way) -> None:
    """Refuse a delegation, the last on its path, that is too deep inside others. Raises LoopDetected."""
    if parent.node.count("/") >= DEPTH:
        told = f"{way[-1].agent} would be delegated to more than {DEPTH} levels deep"
        raise looped("depth", DEPTH, [each.agent for each in way], told=told)
