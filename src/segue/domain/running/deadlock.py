"""
The way out of a deadlock: who is its victim, and what becomes of him.

The victim is the youngest of those who keep places and wait: he loses the least. By the policy of his run his attempt
is revoked and the task tried again after a while (and given up when that has happened too often), or it fails at once,
or the deadlock is only told. What he has kept is free then, and the others go on. Where nobody keeps anything, a pause
that was to end with a task that waits for it in vain ends now.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from segue.domain.decisions import Control, Target, Untangling
from segue.domain.envelope.sealing import seal_failure
from segue.domain.records import (
    SINGLE,
    WHOLE_RUN,
    Claim,
    HandoffRecord,
    Settlement,
    TaskKey,
    Token,
    task_name,
)
from segue.domain.rows import PauseRecord, TaskRecord, Waits
from segue.domain.running.answering import Failed
from segue.domain.running.outcome import settlement_of
from segue.domain.running.plan import Plan
from segue.domain.running.waiters import waiters_of
from segue.domain.running.waiting_for import Key, Waiter, circle_of, explained, stuck_waiters
from segue.domain.settings.options import OnDeadlock, RunOptions

DEADLOCKS_MAXIMUM = 3
"""So often a task is tried again after a deadlock: one that comes to the same end each time would go on for ever."""

BACKOFF_SECONDS = 1.0
"""How long the victim waits for its next try, twice as long after each: the others are to have ended by then."""


def untangling_of(
    waits: Waits,
    plans: Mapping[str, Plan],
    options: Mapping[str, RunOptions],
    wall_now: float,
    told: Collection[str] = (),
) -> Untangling | None:
    """
    What is to be done about a deadlock among those who wait; None if there is none. Of several it is one: when it is
    broken, look again. `told` are the ids under which deadlocks were told before, and left to somebody else.
    """
    view = _View(waits)
    waiters = [
        waiter
        for run, rows in view.by_run.items()
        for waiter in waiters_of(run, plans[run], rows, view.untils.get(run, {}))
    ]
    capacities = {pool.name: pool.capacity for pool in waits.pools}
    stuck = stuck_waiters(capacities, waiters)
    left_alone = {key for key, waiter in stuck.items() if view.id_of(waiter) in told}
    circle = circle_of(capacities, stuck, left_alone)
    keepers = [waiter for waiter in circle if waiter.holds]
    if keepers:
        key = max(keepers, key=lambda waiter: (waiter.since, waiter.key)).key
        return _revoked(circle, view.tasks[key], plans[key[0]], options[key[0]].on_deadlock, wall_now)
    pauses = [pause for waiter in circle if (pause := view.pause_of(waiter)) is not None]
    if pauses:
        pause = max(pauses, key=lambda pause: (pause.at, pause[:3]))
        return _ended(circle, pause, options[pause.run].on_deadlock)
    return None


class _View:
    """What was seen, by run and by task."""

    def __init__(self, waits: Waits) -> None:
        self.tasks = {(task.run, task.node, task.item): task for task in waits.tasks}
        self.by_run: dict[str, list[TaskRecord]] = {record.run: [] for record in waits.runs}
        for task in waits.tasks:
            self.by_run[task.run].append(task)
        self._pauses = {(pause.run, pause.node, pause.item): pause for pause in waits.pauses}
        self.untils: dict[str, dict[TaskKey, TaskKey]] = {}
        for pause in waits.pauses:
            if pause.until is not None:
                self.untils.setdefault(pause.run, {})[pause.node, pause.item] = pause.until

    def pause_of(self, waiter: Waiter) -> PauseRecord | None:
        """The pause of somebody who is paused: his own, that of the mapped task he belongs to, or that of his run."""
        run, node, item = waiter.key
        keys = ((run, node, item), (run, node, SINGLE), (run, *WHOLE_RUN)) if waiter.paused else ()
        return next((self._pauses[key] for key in keys if key in self._pauses), None)

    def id_of(self, waiter: Waiter) -> str | None:
        """Under which id a deadlock is told whose victim this one is."""
        pause = self.pause_of(waiter)
        if pause is not None:
            return _id_of(pause)
        return self.tasks[waiter.key].claim if waiter.holds else None


def _revoked(
    circle: Sequence[Waiter], victim: TaskRecord, plan: Plan, policy: OnDeadlock, wall_now: float
) -> Untangling:
    """The way out over the claim of somebody who keeps places."""
    token = Token(victim.run, victim.node, victim.item, victim.epoch, victim.claim or "")
    words = explained(circle)
    settlement: Settlement | None = None
    if policy == "break" and victim.deadlocks < DEADLOCKS_MAXIMUM:
        settlement = _tried_again(token, victim, words)
    elif policy != "report":
        settlement = _failed(token, victim, plan, words, wall_now)
    then = settlement.ending if settlement is not None else "reported"
    data = _data(circle, words, _named(token[:3]), then)
    return Untangling(victim.run, token.claim, _runs(circle), data, token, settlement)


def _ended(circle: Sequence[Waiter], pause: PauseRecord, policy: OnDeadlock) -> Untangling:
    """The way out where nobody keeps anything: a pause that would last for ever ends."""
    words, command = explained(circle), _id_of(pause)
    control: Control | None = None
    if policy != "report":
        told = {"by": "segue", "reason": f"a deadlock: {words}", "command": command}
        targets = () if (pause.node, pause.item) == WHOLE_RUN else (Target(pause.node, pause.item),)
        control = Control(pause.run, "resume", command, "to break a deadlock", _json(told), targets)
    victim = _named((pause.run, pause.node, pause.item)) if pause.node else {"run": pause.run}
    data = _data(circle, words, victim, "reported" if control is None else "resumed")
    return Untangling(pause.run, command, _runs(circle), data, control=control)


def _data(circle: Sequence[Waiter], words: str, victim: dict[str, str], then: str) -> str:
    members = [_member(waiter) for waiter in circle]
    return _json({"words": words, "circle": members, "victim": victim, "then": then})


def _runs(circle: Sequence[Waiter]) -> tuple[str, ...]:
    return tuple(sorted({waiter.key[0] for waiter in circle}))


def _id_of(pause: PauseRecord) -> str:
    return f"deadlock of {task_name(pause.node, pause.item) or 'the run'} paused at {pause.at:.6f}"


def _tried_again(token: Token, victim: TaskRecord, words: str) -> Settlement:
    told = {"kind": "deadlock", "message": f"its claim was revoked to break a deadlock: {words}"}
    delay_seconds = BACKOFF_SECONDS * 2**victim.deadlocks
    return Settlement(
        token, victim.agent, "deadlocked", None, (), 0, delay_seconds, _json(told), speculative=False
    )


def _failed(token: Token, victim: TaskRecord, plan: Plan, words: str, wall_now: float) -> Settlement:
    often = f", after {victim.deadlocks} times before" if victim.deadlocks else ""
    told = {"kind": "deadlock", "message": f"it was in a deadlock{often}: {words}"}
    step, claimed_at = plan.steps[victim.node], victim.claimed_at or wall_now
    sealed = seal_failure(told, agent=victim.agent if victim.agent != step.node.agent else None)
    written = (sealed.body, sealed.output_size, sealed.digest, sealed.schema)
    handoff = HandoffRecord(victim.version + 1, "failed", *written, claimed_at, wall_now, ())
    claim = Claim(
        token, victim.agent, victim.attempt, handoff.version, victim.pins, broken=False, claimed_at=claimed_at
    )
    failed = Failed(told, handoff, "nobody")
    settlement = settlement_of(claim, plan, step, failed, lambda agent: None, 0.0, speculative=False)
    return settlement._replace(agent=victim.agent)


def _member(waiter: Waiter) -> dict[str, Any]:
    return {
        **_named(waiter.key),
        "holds": {need.pool: need.places for need in waiter.holds},
        "wants": {need.pool: need.places for need in waiter.wants},
        "waits_for": [_named(key) for key in sorted(waiter.after)],
    }


def _named(key: Key) -> dict[str, str]:
    return {"run": key[0], "task": task_name(key[1], key[2])}


def _json(value: dict[str, Any]) -> str:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)
