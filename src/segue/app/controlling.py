"""What people and monitors want with runs: read as they stand, decided in the domain, done by the store."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from uuid_utils.compat import uuid7

from segue.app.saying import check_said
from segue.domain.decisions import Control, ControlKind, Redrive, Reset, Target
from segue.domain.graph.agent import Agent
from segue.domain.graph.graph import Node
from segue.domain.graph.substituting import Substitute, misfits, pinned_substitute, substitute_of
from segue.domain.records import Pools, TaskKey, parse_task_name, task_name
from segue.domain.rows import RunRecord, TaskRecord
from segue.domain.running.controlling import Situation
from segue.domain.running.plan import Plan
from segue.domain.running.pooling import check_capacities
from segue.domain.running.redriving import redrive_of
from segue.engine.inputs.book import Book
from segue.engine.registry import Registry
from segue.engine.watch.reviews import reviewed_node
from segue.errors import ControlRefused, UsageError
from segue.ports.store import Store

TRIES = 5
"""So often it is decided anew what a control means, where something else happens between the look and the write."""


@dataclass(frozen=True, slots=True)
class Controlled:
    """
    What became of a control: `done`, or `done before` by the same `command`. `tasks` are those that it was for; none if
    it was for the run itself.
    """

    run: str
    verdict: Literal["done", "done before"]
    command: str
    tasks: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Wish:
    """What somebody wants with a run, or with a task of it: as it was asked for."""

    kind: ControlKind
    run: str
    task: str | None
    by: str
    reason: str
    command: str | None
    until: str | None = None
    interrupt: bool = False
    to: str | Agent[Any] | None = None

    @property
    def asked(self) -> str:
        """What must be the same where the command is: all but who asks, and why."""
        to = self.to.name if isinstance(self.to, Agent) else self.to
        parts = {"task": self.task, "until": self.until, "interrupt": self.interrupt or None, "to": to}
        return json.dumps(
            {"do": self.kind, **{name: part for name, part in parts.items() if part is not None}}
        )

    def checked(self) -> Wish:
        """The same. Raises UsageError for what could not be written down."""
        check_said(self.by, reason=self.reason, command="-" if self.command is None else self.command)
        if self.kind == "annotate" and not self.reason.strip():
            raise UsageError(
                "there is no note to write", remedy="Say what is to be known: note=, or --note TEXT."
            )
        if self.command is not None and not self.command.strip():
            raise UsageError("an empty command is no name", remedy="Leave it out, and it gets one.")
        return self


class Controls:
    """Carries out what is wanted, once for each command."""

    def __init__(self, store: Store, book: Book, registry: Registry, wall_now: float) -> None:
        self._store = store
        self._book = book
        self._registry = registry
        self._wall_now = wall_now

    async def carry_out(self, wish: Wish, record: RunRecord) -> Controlled:
        """
        Do it.

        Raises ControlRefused if it cannot be as things are, and UnknownRun for a task that is not there.
        """
        command = wish.checked().command or uuid7().hex
        for _ in range(TRIES):
            try:
                control = await self._decided(wish, record, command)
                verdict = await self._store.control(control)
            except ControlRefused:
                # It may be refused because this very command has been obeyed.
                if not await self._was_obeyed(wish, record):
                    raise
                verdict = "repeated"
            if verdict == "accepted":
                return Controlled(record.run, "done", command, _names_of(control))
            if verdict == "repeated" or await self._was_obeyed(wish, record):
                return Controlled(record.run, "done before", command, _asked_for(wish))
            record = await self._store.read_run(record.run) or record
        raise ControlRefused(
            f"something else happened in run {record.run} meanwhile",
            remedy=f"Look with `segue show {record.run}`, and again.",
        )

    async def _was_obeyed(self, wish: Wish, record: RunRecord) -> bool:
        """Whether the run has obeyed this command before. Raises ControlRefused if it asked for something else."""
        asked = None if wish.command is None else await self._store.read_command(record.run, wish.command)
        if asked is not None and asked != wish.asked:
            raise ControlRefused(
                f"run {record.run} has obeyed the command {wish.command!r} before, which was {asked}",
                remedy=f"This is {wish.asked}: give it a name of its own.",
            )
        return asked is not None

    async def _decided(self, wish: Wish, record: RunRecord, command: str) -> Control:
        live = await self._book.load(record.run)
        plan = (await self._book.grow(live)).plan if record.grown else live.plan
        tasks = await self._store.read_tasks(record.run)
        situation = Situation(plan, record, tasks, await self._store.read_pauses(record.run))
        key, until = _key_of(wish.task), _key_of(wish.until)
        targets: tuple[Target, ...] = ()
        awaited: Target | None = None
        redrive: Redrive | None = None
        pools: Pools = ()
        needless: tuple[Target, ...] = ()
        told: dict[str, Any] = {"by": wish.by, "reason": wish.reason, "command": command}
        match wish.kind:
            case "pause":
                targets, awaited = situation.pause(key, until, interrupt=wish.interrupt)
                told |= {"until": wish.until} if wish.until is not None else {}
            case "resume":
                targets = situation.resume(key)
            case "cancel":
                targets = situation.cancel(key, _cancelled(wish), self._wall_now)
                needless = situation.needless(key)
            case "reassign":
                if key is None:
                    raise UsageError("reassign needs a task", remedy="Name it: `name` or `name[3]`.")
                targets = situation.reassign(key, _name_of(wish.to))
                if wish.to is not None:
                    for node in await self._nodes_of(plan, tasks, targets):
                        await self._check_fits(record, plan, node, wish.to)
                        pools = await self._pools_of(plan, node, wish.to)
                    told |= {"successor": _name_of(wish.to)}
            case "annotate":
                targets = situation.annotate(key)
                told = {"by": wish.by, "note": wish.reason, "command": command}
            case "retry":
                situation.check_over((await self._book.load(record.run)).options.deadline, self._wall_now)
                redrive = redrive_of(plan, record.run, tasks, () if key is None else (key,))
        return Control(
            run=record.run,
            kind=wish.kind,
            command=command,
            asked=wish.asked,
            data=_json(told),
            targets=targets,
            until=awaited,
            interrupt=wish.interrupt,
            successor=_name_of(wish.to),
            pools=pools,
            error=_json(_cancelled(wish)) if wish.kind == "cancel" else None,
            needless=needless,
            redrive=redrive,
        )

    async def _nodes_of(
        self, plan: Plan, tasks: Sequence[TaskRecord], targets: Sequence[Target]
    ) -> list[Node]:
        """How the agents are called that tasks are with: one that was handed on gives what the graph expects of it."""
        keys = {target[:2] for target in targets}
        nodes: list[Node] = []
        for task in tasks:
            if (task.node, task.item) in keys:
                called = await reviewed_node(self._store, plan.graph, task)
                node = replace(called, output_schema=plan.steps[task.node].node.output_schema)
                nodes += [node] if node not in nodes else []
        return nodes

    async def _check_fits(self, record: RunRecord, plan: Plan, node: Node, to: str | Agent[Any]) -> None:
        """Whether another agent can have a task of a node. Raises ControlRefused."""
        name, schemas = _name_of(to), {}
        for each in (*plan.graph.nodes, node):
            for fingerprint in {each.output_schema, *(argument.schema for argument in each.arguments)}:
                text = await self._store.read_schema(fingerprint)
                schemas[fingerprint] = json.loads(text) if text is not None else {}
        substitute = self._substitute(to) or pinned_substitute(plan.graph, name or "", schemas)
        chain = [node.agent, *(each.agent for each in node.fallbacks)]
        if name in chain:
            return
        if substitute is None:
            names = sorted({*chain, *(each.agent for each in plan.graph.nodes), *self._registry.agent_names})
            raise ControlRefused(
                f"there is no agent {name!r} for {node.name} of run {record.run}",
                remedy=f"Known here are {', '.join(names)}.",
            )
        problems = list(misfits(node, schemas, substitute))
        if problems:
            raise ControlRefused(
                f"agent {name!r} cannot take {node.name} over: {'; '.join(problems)}",
                remedy=f"Give it to an agent that takes and gives what {node.agent!r} does.",
            )

    async def _pools_of(self, plan: Plan, node: Node, to: str | Agent[Any]) -> Pools:
        """The places that a claim of another agent takes. Raises PoolTooSmall."""
        name = _name_of(to) or ""
        pinned = {each.node.agent: each.node.settings for each in plan.steps.values()}
        pinned |= {each.agent: each.settings for each in node.fallbacks} | {node.agent: node.settings}
        agent = to if isinstance(to, Agent) else self._registry.find(to)
        settings = pinned.get(name) or (agent.settings if agent is not None else None)
        pools = settings.pools if settings is not None else ()
        if pools:
            check_capacities(await self._store.read_pools(), name, pools)
        return pools

    def _substitute(self, to: str | Agent[Any]) -> Substitute | None:
        agent = to if isinstance(to, Agent) else self._registry.find(to)
        return None if agent is None else substitute_of(agent)


def _key_of(task: str | None) -> TaskKey | None:
    if task is None:
        return None
    try:
        return parse_task_name(task)
    except ValueError as error:
        raise UsageError(str(error), remedy="Tasks are called `name` or `name[3]`.") from None


def _name_of(to: str | Agent[Any] | None) -> str | None:
    return to.name if isinstance(to, Agent) else to


def _asked_for(wish: Wish) -> tuple[str, ...]:
    return () if wish.task is None else (wish.task,)


def _names_of(control: Control) -> tuple[str, ...]:
    chosen: Sequence[Target | Reset] = control.targets if control.redrive is None else control.redrive.resets
    return tuple(task_name(each.node, each.item) for each in chosen)


def _cancelled(wish: Wish) -> dict[str, Any]:
    message = f"{wish.by} cancelled it: {wish.reason}" if wish.reason else f"{wish.by} cancelled it"
    return {"kind": "cancelled", "message": message}


def _json(value: dict[str, Any]) -> str:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)
