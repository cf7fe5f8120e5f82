"""What has to be before what, worked out from the pinned graph and the rows alone."""

from __future__ import annotations

import json
from collections.abc import Iterator

from segue.domain.graph.graph import Node, nodes_of
from segue.domain.records import HANDED_ON, SETTLED, SINGLE, HandoffRecord, Pin, task_name
from segue.domain.running.pins import pin_handed_on
from segue.domain.running.plan import Plan
from segue.stores.memory.rows import Run, Task


def early_start(plan: Plan, run: Run, task: Task) -> str | None:
    """Which task that this one waits for has not settled; None if all have."""
    if task.item != SINGLE:
        whole = run.tasks[task.node, SINGLE]
        return None if whole.state == "expanded" else task_name(whole.node, whole.item)
    parents = plan.steps[task.node].parents
    quorum = plan.steps[task.node].node.settings.quorum
    if quorum is not None:
        there = [key for key, each in run.tasks.items() if each.state == "complete" and key[0] in parents]
        return None if task.broken or len(there) >= quorum else "its quorum"
    for parent in parents:
        settling = run.tasks.get((parent, SINGLE))
        if settling is None or settling.state not in SETTLED:
            return parent
        if settling.state == "expanded":
            for name in open_items(run, parent):
                return name
    return None


def open_items(run: Run, node: str) -> Iterator[str]:
    """The items of a mapped node that have not settled."""
    for (name, item), task in run.tasks.items():
        if name == node and item != SINGLE and task.state not in SETTLED:
            yield task_name(name, item)


def lacking_parent(plan: Plan, run: Run, task: Task) -> str | None:
    """Which parent has nothing to hand over although this task needs it, so that its agent must not run."""
    settings = plan.steps[task.node].node.settings
    if task.item != SINGLE or settings.on_failure == "proceed" or settings.quorum is not None:
        return None
    for parent in plan.steps[task.node].needed:
        states = {each.state for (node, _), each in run.tasks.items() if node == parent}
        if states & {"failed", "dead", "skipped", "cancelled"}:
            return parent
    return None


def unfinished(plan: Plan, run: Run) -> str | None:
    """Which task is not at its end although its run is; None if all are."""
    for (node, item), task in run.tasks.items():
        if task.state not in SETTLED:
            return f"{task_name(node, item)} ({task.state})"
    if run.state == "cancelled" or run.cut:
        return None
    missing = [name for name in plan.steps if (name, SINGLE) not in run.tasks]
    return f"{missing[0]} (it never began)" if missing else None


def latest_pins(run: Run, nodes: tuple[str, ...]) -> set[Pin]:
    """The latest hand-offs of some nodes, as a claim pins them."""
    return {
        Pin(node, item, len(versions), versions[-1].record.digest, versions[-1].record.status)
        for (node, item), versions in run.handoffs.items()
        if node in nodes and versions
    }


def asked_with(run: Run, task: Task) -> set[Pin]:
    """What a task that was delegated begins with: its arguments, also if it was cancelled before and is tried again."""
    first = run.handoffs[task.node, task.item][0].record
    return {Pin(task.node, task.item, first.version, first.digest, first.status)}


def wrong_inputs(plan: Plan, run: Run, task: Task, inputs: list[str]) -> str | None:
    """
    How what an agent was given differs from the hand-offs that its task has pinned; None if it does not.

    A text that no pinned hand-off carries is wrong, and so is a hand-off that did not arrive; of a mapped node each
    task gets one element only.
    """
    going_on = pin_handed_on(task.pins or ())
    node = plan.steps[task.node].node
    by_node: dict[str, set[str]] = {}
    for pin in task.pins or ():
        stored = run.handoffs[pin.node, pin.item][pin.version - 1]
        if stored.record.digest != pin.digest:
            return f"{task_name(pin.node, pin.item)} version {pin.version} is not what was pinned"
        by_node.setdefault(pin.node, set()).update(texts_of(stored.record))
    given = set(inputs) - {run.new.key}
    strange = given - set().union(*by_node.values())
    if strange:
        return f"it was given {min(strange)!r}, which is not in what it has pinned"
    missed = {text for name in _whole_inputs(node) for text in by_node.get(name, ())} - given
    if going_on is not None:
        handed = run.handoffs[task.node, task.item][going_on.version - 1].record
        missed = set(texts_of(handed)) - given - {run.new.key}
    return f"it was not given {min(missed)!r}, which it has pinned" if missed else None


def texts_of(record: HandoffRecord) -> list[str]:
    """What a hand-off of a simulated agent carries."""
    if record.status not in ("complete", HANDED_ON):
        return []
    output = json.loads(record.body)["output"]
    if record.status == HANDED_ON:
        return [text for each in output.values() for text in (each if isinstance(each, list) else [each])]
    if isinstance(output, dict):
        return [output["text"]]
    return output if isinstance(output, list) else [output]


def _whole_inputs(node: Node) -> set[str]:
    """The nodes whose outputs an agent is given whole."""
    return {
        name
        for argument in node.arguments
        if argument.parameter != node.map_parameter
        for name in nodes_of(argument.binding)
    }
