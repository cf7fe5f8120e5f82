"""What is in flight in a store, held to the code that is to be deployed."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from segue.app.offering import Offer
from segue.domain.envelope.changes import change_of_payload
from segue.domain.envelope.forms import Form, PayloadForm, form_of
from segue.domain.envelope.stored import pinned_graph
from segue.domain.envelope.versions import version_key
from segue.domain.graph.code_schemas import CodeSchemas, Finding
from segue.domain.graph.deploying import InFlight, Needs, Trouble, troubles_of, worst
from segue.domain.graph.graph import Graph, graph_from_json
from segue.domain.records import SETTLED, SINGLE
from segue.domain.rows import RunRecord, TaskRecord
from segue.ports.store import Store

RUNS_PER_READ = 200


class RunPlan(NamedTuple):
    """What becomes of one run in flight, and why, by task."""

    run: str
    workflow: str
    needs: Needs
    troubles: tuple[Trouble, ...]


async def plan_deployment(store: Store, offer: Offer, code: CodeSchemas) -> list[RunPlan]:
    """What becomes of each run that has not ended, newest first."""
    plans, before = [], None
    forms: dict[str, Form] = {}
    while True:
        runs = await store.list_runs(RUNS_PER_READ, before, ("running", "needs_review"))
        for run in runs:
            flight = await _in_flight(store, run, forms)
            troubles = tuple(troubles_of(flight, code, tuple(offer.conditions)))
            plans.append(RunPlan(run.run, run.workflow, worst(troubles), troubles))
        if len(runs) < RUNS_PER_READ:
            return plans
        before = runs[-1].run


async def registered_findings(store: Store, code: CodeSchemas) -> list[Finding]:
    """Payloads of the code that are not what a store has registered under their versions."""
    found: list[Finding] = []
    standing: dict[str, dict[str, str]] = {}
    for record in await store.read_payloads():
        standing.setdefault(record.name, {})[record.version] = record.fingerprint
    for name, new in sorted(code.payloads.items()):
        versions = standing.get(name, {})
        fingerprint = versions.get(new.version)
        if fingerprint is None:
            above = [each for each in versions if version_key(each) > version_key(new.version)]
            if above:
                highest = max(above, key=version_key)
                message = f"the store has {name}@{highest}, and {new.label} is new to it"
                found.append(Finding("backwards", name, message))
        elif fingerprint != new.fingerprint:
            old = PayloadForm(name, new.version, json.loads(await store.read_schema(fingerprint) or "{}"))
            fields = change_of_payload(old, new).fields
            message = f"{new.label} is not what the store has registered: {'; '.join(map(str, fields))}"
            found.append(Finding("drift", name, message, tuple(each.field for each in fields)))
    return found


async def _in_flight(store: Store, run: RunRecord, forms: dict[str, Form]) -> InFlight:
    graph = graph_from_json(pinned_graph(run, await store.read_graph(run.graph_digest)))
    sent: dict[str, set[str]] = {}
    for stored in await store.latest_handoffs(run.run):
        sent.setdefault(stored.node, set()).add(stored.record.schema)
    await _read_forms(store, _fingerprints(graph, sent.values()), forms)
    return InFlight(graph, _open_nodes(graph, await store.read_tasks(run.run)), sent, forms)


def _fingerprints(graph: Graph, sent: Iterable[set[str]]) -> set[str]:
    pinned = {each.schema for node in graph.nodes for each in node.arguments}
    pinned |= {each.schema for each in graph.inputs} | {node.output_schema for node in graph.nodes}
    return pinned.union(*sent) - {""}


async def _read_forms(store: Store, fingerprints: set[str], forms: dict[str, Form]) -> None:
    for fingerprint in fingerprints - forms.keys():
        text = await store.read_schema(fingerprint)
        if text is not None:
            forms[fingerprint] = form_of(json.loads(text))


def _open_nodes(graph: Graph, tasks: Sequence[TaskRecord]) -> set[str]:
    """The nodes of which some task is still to be done."""
    by_node: dict[str, list[TaskRecord]] = {}
    for task in tasks:
        by_node.setdefault(task.node, []).append(task)
    return {node.name for node in graph.nodes if not _is_done(by_node.get(node.name, []))}


def _is_done(tasks: list[TaskRecord]) -> bool:
    own = next((task.state for task in tasks if task.item == SINGLE), "waiting")
    if own == "expanded":
        return all(task.state in SETTLED for task in tasks if task.item != SINGLE)
    return own in SETTLED
