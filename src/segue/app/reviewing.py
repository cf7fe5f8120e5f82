"""Reviews as people meet them: what waits for whom, and a word on it, checked before it is written."""

from __future__ import annotations

from typing import Any, Final

from uuid_utils.compat import uuid7

from segue.app.reading import find_task, read_events, read_graph, read_output
from segue.app.saying import check_said
from segue.app.views import ReviewView, review_view, waiting_review
from segue.domain.envelope.editing import edited
from segue.domain.envelope.stored import data_of, understood, verified
from segue.domain.graph.agent import Agent
from segue.domain.graph.graph import Graph
from segue.domain.records import HandoffRecord, task_name
from segue.domain.rows import RunRecord, StoredHandoff, TaskRecord
from segue.domain.running.plan import Plan
from segue.domain.running.reviewing import (
    Said,
    next_version,
    objection_to,
    round_of,
    said_by_person,
    told_refusal,
)
from segue.domain.settings.reviewing import POLICY
from segue.engine.watch.reviews import reviewed_node
from segue.errors import Refusal, ReviewRefused, UsageError
from segue.ports.artifacts import ArtifactStore
from segue.ports.store import Store


class AsShown:
    """What is approved is what was shown."""

    def __repr__(self) -> str:
        return "AS_SHOWN"


AS_SHOWN: Final = AsShown()

DECIDED = {"complete": "approved", "failed": "rejected"}
"""What the events of a decision mean, if they say by whom it was."""


async def read_reviews(
    store: Store, artifacts: ArtifactStore, run: str | None = None
) -> tuple[ReviewView, ...]:
    """What waits for a person's decision, in a store or in one run of it, longest first. Raises ArtifactError."""
    views: list[ReviewView] = []
    graphs: dict[str, Graph] = {}
    for task in await store.read_reviews():
        record = await store.read_run(task.run) if run in (None, task.run) else None
        stored = await store.read_handoffs(task.run, [(task.node, task.item, task.version)])
        if record is None or not stored:
            continue
        graph = graphs.get(record.run) or await read_graph(store, record)
        graphs[record.run] = graph
        shown = verified(stored[0])
        with understood(f"task {task_name(task.node, task.item)} of run {task.run}"):
            output = await read_output(artifacts, shown.record)
            waiting = waiting_review(task, await reviewed_node(store, graph, task))
            views.append(review_view(record, task, waiting, shown, output))
    return tuple(sorted(views, key=lambda view: (view.since, view.run, view.task)))


class Reviewer:
    """Writes what people decide on the hand-offs of one store."""

    def __init__(self, store: Store, artifacts: ArtifactStore) -> None:
        self._store = store
        self._artifacts = artifacts

    async def decide(
        self,
        record: RunRecord,
        plan: Plan,
        name: str,
        said: Said,
        wall: float,
        *,
        output: Any = AS_SHOWN,
        agent: Agent[Any] | None = None,
    ) -> None:
        """
        Write somebody's word on a task of a run. `output` stands for what the agent handed over if it is given, and
        `agent` is needed to check it.

        Raises UnknownRun for a task that there is not, ReviewRefused, and InvalidPayload if the output does not fit.
        """
        _check_word(said, output)
        task, stored = await self._find(record, plan, name)
        if task is None or task.state != "needs_review" or stored is None:
            raise await self.nothing_waits(record, plan, name)
        shown = verified(stored)
        node = await reviewed_node(self._store, plan.graph, task)
        now = round_of(node, task.agent, task.escalations)
        objection = objection_to(said, task, shown.record, now, wall, has_other_output=output is not AS_SHOWN)
        if objection is not None:
            if objection.concerns_others:
                await self._store.review(told_refusal(task, said, objection, _fresh_id()))
            raise _refused(record, name, objection.reason, objection.message, objection.remedy)
        handoff = next_version(shown.record, wall)
        if output is not AS_SHOWN:
            handoff = await self._edited(handoff, shown, output, task, agent)
        decision = said_by_person(
            plan, task, handoff, said, _fresh_id(), edited=handoff.digest != shown.record.digest
        )
        if await self._store.review(decision) == "stale":
            raise await self.nothing_waits(record, plan, name)

    async def _find(
        self, record: RunRecord, plan: Plan, name: str
    ) -> tuple[TaskRecord | None, StoredHandoff | None]:
        node, item, task = await find_task(self._store, record, plan.graph, name)
        if task is None:
            return None, None
        stored = await self._store.read_handoffs(record.run, [(node, item, task.version)])
        return task, stored[0] if stored else None

    async def _edited(
        self,
        handoff: HandoffRecord,
        shown: StoredHandoff,
        output: Any,
        task: TaskRecord,
        agent: Agent[Any] | None,
    ) -> HandoffRecord:
        where = task_name(task.node, task.item)
        if agent is None or shown.record.schema not in ("", agent.output_schema.fingerprint):
            what = "is not known here" if agent is None else "hands over another type here"
            raise UsageError(
                f"the output of {where} cannot be checked: its agent {task.agent!r} {what}",
                remedy="Open the store with the module that the run was submitted from: Segue(..., agents=[module]).",
            )
        sealed = edited(shown, output, agent.output_schema, where=f"the output of {where}")
        for spilled in sealed.spilled:
            await self._artifacts.put(spilled.content)
        return handoff._replace(
            body=sealed.body,
            output_size=sealed.output_size,
            digest=sealed.digest,
            schema=sealed.schema,
            artifacts=sealed.artifacts,
        )

    async def nothing_waits(self, record: RunRecord, plan: Plan, name: str) -> ReviewRefused:
        """Why a task does not wait for a decision, or not for this one any more. Raises UnknownRun."""
        task, _ = await self._find(record, plan, name)
        look = f"`segue show {record.run} {name}` has all that happened."
        if task is not None and task.state == "needs_review":
            message = f"the review of {name} of run {record.run} was passed on, or its time ended, just now"
            return _refused(
                record, name, "decided", message, "Look at what is there now, and decide on that."
            )
        events = [each for each in await read_events(self._store, record.run) if each.task == name]
        told = next((each for each in reversed(events) if not each.name.endswith(".review_refused")), None)
        by = (data_of(told) or {}).get("by") if told is not None else None
        how = None if told is None else DECIDED.get(told.name.rpartition(".")[2])
        if by is not None and how is not None:
            message = f"{name} of run {record.run} was {how} by {by} before"
            return _refused(record, name, "decided", message, look)
        state = "waiting" if task is None else task.state.replace("_", " ")
        message = f"nothing waits for a decision on {name} of run {record.run}: it is {state}"
        return _refused(record, name, "not waiting", message, "`segue review` lists what waits.")


def _check_word(said: Said, output: Any) -> None:
    check_said(said.by, note=said.note, digest=said.digest)
    if said.by == POLICY:
        raise UsageError(f"by={POLICY!r} is nobody's name", remedy="That is how the terms of a review sign.")
    if not isinstance(said.approve, bool):
        raise UsageError(f"approve={said.approve!r} is no decision", remedy="Say approve=True, or False.")
    if output is not AS_SHOWN and not said.approve:
        raise UsageError(
            "an output was given for what is rejected", remedy="Approve it with another output, or reject it."
        )


def _refused(record: RunRecord, task: str, reason: Refusal, message: str, remedy: str) -> ReviewRefused:
    return ReviewRefused(message, run=record.run, task=task, reason=reason, remedy=remedy)


def _fresh_id() -> str:
    return f"review-{uuid7()}"
