"""
The life of one attempt: inputs, agent, outcome.

`outcome_of` is the table of contents. Whatever happens in it becomes one settlement; a cancellation leaves without.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable
from typing import Any, TypeVar

from segue.domain.envelope.body import parts_of
from segue.domain.envelope.hand_to import seal_result
from segue.domain.envelope.limits import ERROR_MESSAGE_CHARACTERS
from segue.domain.envelope.payload import storable_text
from segue.domain.envelope.redaction import secrets_of
from segue.domain.envelope.sealing import Sealed, seal_failure
from segue.domain.envelope.summary import summary_of
from segue.domain.graph.agent import Agent
from segue.domain.graph.isolation import target_of
from segue.domain.records import HANDED_ON, SINGLE, HandoffRecord, is_grown
from segue.domain.running.answering import Failed
from segue.domain.running.faults import Fault, fault_of
from segue.domain.running.outcome import Complete, Expanded, HandedOn, Outcome, Skipped, Unreadable
from segue.domain.settings.spending import amounts_used
from segue.engine.abilities.handing_on import HandingOn
from segue.engine.abilities.handing_on import target_of as target_agent
from segue.engine.attempts.attempt import Attempt
from segue.engine.attempts.threads import Threads
from segue.engine.attempts.timekeeper import Timekeeper
from segue.engine.children.packing import pack
from segue.engine.children.pool import Children, FaultInChild
from segue.engine.children.protocol import Call
from segue.engine.children.serving import Serving
from segue.engine.inputs.binding import Binder, agent_of
from segue.errors import LoopDetected, NewerPayload, PayloadTooLarge, StoreError
from segue.ports.artifacts import ArtifactStore
from segue.ports.clock import Clock

T = TypeVar("T")

_CONDITION_FALSE = {"kind": "condition", "message": "its condition was false"}


class _Raised(Exception):
    """An agent raised `error`: whatever it is, it is the agent's and not Segue's."""

    def __init__(self, error: BaseException) -> None:
        self.error = error


class Runner:
    """Runs attempts. It decides nothing about retries or dependents."""

    def __init__(
        self,
        binder: Binder,
        artifacts: ArtifactStore,
        threads: Threads,
        children: Children,
        timekeeper: Timekeeper,
        clock: Clock,
        handing_on: HandingOn,
    ) -> None:
        self._binder = binder
        self._artifacts = artifacts
        self._threads = threads
        self._children = children
        self._timekeeper = timekeeper
        self._clock = clock
        self._handing_on = handing_on
        self._secrets = secrets_of(os.environ)

    async def outcome_of(self, attempt: Attempt) -> Outcome:
        """Run an attempt to its end. Only cancellation, and errors of the store, are raised."""
        attempt.started_at = attempt.started_at or self._clock.wall()
        claim = attempt.claim
        try:
            if claim.broken or attempt.out_of is not None or claim.losses >= attempt.terms.settings.losses:
                return await self._not_run(attempt)
            if attempt.step.node.map_parameter is not None and attempt.item == SINGLE:
                return await self._expand(attempt)
            if attempt.step.node.condition is not None and not await self._binder.condition_holds(attempt):
                return Skipped(_CONDITION_FALSE)
            if attempt.terms.settings.isolation == "process":
                result, sealed = None, await self._call_in_child(attempt)
            else:
                arguments = self._binder.arguments_at_hand(attempt)
                if arguments is None:
                    arguments = await self._binder.arguments(attempt)
                result = await self._within_time(attempt, self._run(agent_of(attempt), arguments))
                sealed = self._seal(attempt, result)
            if attempt.live.options.caps or is_grown(attempt.node):
                await self._charge(attempt, sealed)
            if sealed.status == HANDED_ON:
                return await self._hand_on(attempt, self._handing_on.checked(attempt, sealed, result))
            if sealed.schema != attempt.output_schema:
                await self._binder.allow_to_send(attempt)
            for spilled in sealed.spilled:
                await self._artifacts.put(spilled.content)
            handoff = self._record(attempt, sealed)
            if handoff.status == "failed":
                return Failed(failure_told_by(handoff), handoff, "another")
            return Complete(handoff)
        except LoopDetected as error:
            return self._looped(attempt, error)
        except NewerPayload as error:
            return Unreadable(error.requires, error.message)
        except FaultInChild as happened:
            return self._failed_by(attempt, happened.fault)
        except _Raised as raised:
            if isinstance(raised.error, LoopDetected):
                return self._looped(attempt, raised.error)
            return self.failure_of(attempt, raised.error)
        except StoreError:
            raise
        except Exception as error:  # noqa: BLE001 - what goes wrong with one attempt must not stop the worker
            return self.failure_of(attempt, error)

    async def _hand_on(self, attempt: Attempt, sealed: Sealed) -> HandedOn:
        """Let the agent that is named go on with the task."""
        name = target_agent(sealed)
        await self._binder.schemas.register(self._handing_on.agent(name).schemas, attempt.name)
        for spilled in sealed.spilled:
            await self._artifacts.put(spilled.content)
        handoff = self._record(attempt, sealed)
        pools = await self._handing_on.pools_of_successor(attempt, name)
        await attempt.purse.charge("handoff", (("handoffs", 1),))
        return HandedOn(handoff, name, pools)

    async def _charge(self, attempt: Attempt, sealed: Sealed) -> None:
        """Charge what the hand-off says that it took, unless its agent has."""
        usage = parts_of(sealed).get("usage")
        if usage is not None and not attempt.purse.used:
            await attempt.purse.charge("usage", amounts_used(usage))

    def _looped(self, attempt: Attempt, error: LoopDetected) -> Outcome:
        """The chain of hand-offs that a task is on was stopped: it fails, or a person is to say what becomes of it."""
        failed = self.failure_of(attempt, error)
        if attempt.live.plan.steps[attempt.node].node.settings.on_loop == "fail":
            return failed
        sealed = seal_failure(failed.error, agent=attempt.substitute, status="needs_review")
        return Complete(self._record(attempt, sealed))

    async def _not_run(self, attempt: Attempt) -> Outcome:
        """What becomes of a task that is only to be settled."""
        if attempt.claim.broken:
            told = await self._binder.causes.of_break(attempt)
            if attempt.step.node.settings.on_failure == "fail" or told["kind"] == "quorum":
                return Failed(told, self._failed(attempt, told), "nobody")
            return Skipped(told)
        if attempt.out_of is not None:
            return self.failure_of(attempt, await self._binder.causes.of_overrun(attempt, attempt.out_of))
        told = self._binder.causes.of_losses(attempt)
        return Failed(told, self._failed(attempt, told), "another", ending="dead")

    async def _expand(self, attempt: Attempt) -> Outcome:
        if not await self._binder.condition_holds(attempt):
            return Skipped(_CONDITION_FALSE)
        size = await self._binder.map_size(attempt)
        limit = attempt.step.node.map_limit
        if size > limit:
            raise PayloadTooLarge(
                f"{attempt.name} maps over {size} items and its limit is {limit}",
                remedy="Hand over larger groups, or raise the limit: agent.map(..., limit=...).",
            )
        return Expanded(size)

    async def _call_in_child(self, attempt: Attempt) -> Sealed:
        """Call the agent in a child process, which is killed if it does not get to its end."""
        target = target_of(agent_of(attempt))
        packed = await pack(self._binder, attempt)
        settings = attempt.terms.settings
        call = Call(
            target=target,
            facts=attempt.facts,
            arguments=packed.parcels,
            substitute=attempt.substitute,
            decisions_required=settings.decisions_required,
            on_overrun=settings.on_overrun,
        )
        attempt.called = True  # a process that cannot be started may be there the next time
        async with self._children.child_for(target) as child:
            serving = Serving(attempt, packed, self._binder, self._artifacts)
            done = await self._within_time(attempt, child.call(call, serving))
        if done.sealed is None:
            assert done.fault is not None
            raise FaultInChild(done.fault)
        return done.sealed

    async def _run(self, agent: Agent[Any], arguments: dict[str, Any]) -> Any:
        """Call the agent in this process."""
        try:
            if agent.signature.is_async:
                return await agent.fn(**arguments)
            return await self._threads.call(agent.fn, arguments)
        except (asyncio.CancelledError, KeyboardInterrupt):
            raise
        except BaseException as error:
            raise _Raised(error) from error

    async def _within_time(self, attempt: Attempt, running: Awaitable[T]) -> T:
        """Let the agent run for as long as it may. Raises BudgetExceeded."""
        terms, deadline = attempt.terms, attempt.claim.deadline
        if terms.timeout_seconds is not None:
            self._timekeeper.begin(attempt, "run", terms.timeout_seconds)
        if terms.idle_seconds is not None:
            self._timekeeper.begin(attempt, "idle", terms.idle_seconds)
        if deadline is not None:
            self._timekeeper.begin(attempt, "deadline", deadline - self._clock.wall())
        if terms.settings.slow_seconds is not None:
            self._timekeeper.begin(attempt, "slow", terms.settings.slow_seconds)
        attempt.called = attempt.in_agent = True
        try:
            result = await running
        except asyncio.CancelledError:
            # One that is not by the clock alone has been cancelled by somebody else as well, who goes before.
            if attempt.out_of is None or _uncancel():
                raise
        except Exception:
            if attempt.out_of is None:
                raise
        else:
            if attempt.out_of is None:
                return result
        finally:
            attempt.in_agent, attempt.ends = False, {}
        # Whatever the agent has made of being told to end, it was too late.
        raise await self._binder.causes.of_overrun(attempt, attempt.out_of)

    def _seal(self, attempt: Attempt, result: Any) -> Sealed:
        agent = attempt.agent
        assert agent is not None
        return seal_result(
            result,
            agent.output_schema,
            where=attempt.name,
            decisions_required=attempt.terms.settings.decisions_required,
            agent=attempt.substitute,
        )

    def failure_of(self, attempt: Attempt, error: BaseException) -> Failed:
        """What is kept of an error, and what may help after it."""
        on_overrun, wall_now = attempt.terms.settings.on_overrun, self._clock.wall()
        return self._failed_by(
            attempt, fault_of(error, self._secrets, on_overrun, wall_now, called=attempt.called)
        )

    def _failed_by(self, attempt: Attempt, fault: Fault) -> Failed:
        return Failed(fault.told, self._failed(attempt, fault.told), fault.helps, fault.wishes)

    def _failed(self, attempt: Attempt, told: dict[str, Any]) -> HandoffRecord:
        return self._record(attempt, seal_failure(told, agent=attempt.substitute))

    def _record(self, attempt: Attempt, sealed: Sealed) -> HandoffRecord:
        body, output_size, digest, schema, status, artifacts, _ = sealed
        version, started_at, completed_at = attempt.claim.version, attempt.started_at, self._clock.wall()
        written = (body, output_size, digest, schema)
        return HandoffRecord(version, status, *written, started_at, completed_at, artifacts)


def failure_told_by(handoff: HandoffRecord) -> dict[str, Any]:
    """What is kept of a failure that the agent handed over instead of raising it."""
    summary = summary_of(handoff, parts_of(handoff))[0]
    return {"kind": "handed over", "message": storable_text(summary, ERROR_MESSAGE_CHARACTERS)}


def _uncancel() -> int:
    """Take back one cancellation of the current task; how many are left."""
    task = asyncio.current_task()
    return task.uncancel() if task is not None else 0
