"""
The way out of a deadlock: who is its victim, and what becomes of him.

The victim is the youngest of those who keep places and wait: he loses the least. By the policy of his run his attempt
is revoked and the task tried again after a while (and given up when that has happened too often), or it fails at once,
or the deadlock is only told. What he has kept is free then, and the others go on.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from segue.domain.decisions import Untangling
from segue.domain.envelope.sealing import seal_failure
from segue.domain.records import Claim, HandoffRecord, Settlement, Token, task_name
from segue.domain.rows import TaskRecord, Waits
from segue.domain.running.answering import Failed
from segue.domain.running.outcome import settlement_of
from segue.domain.running.plan import Plan
from segue.domain.running.waiters import waiters_of
from segue.domain.running.waiting_for import Key, Waiter, circle_of, explained, stuck_waiters
from segue.domain.settings.options import RunOptions

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
    broken, look again. `told` are the claims of victims whose deadlock was told before, and left to somebody else.
    """
    tasks = {(task.run, task.node, task.item): task for task in waits.tasks}
    by_run: dict[str, list[TaskRecord]] = {record.run: [] for record in waits.runs}
    for task in waits.tasks:
        by_run[task.run].append(task)
    waiters = [waiter for run, rows in by_run.items() for waiter in waiters_of(run, plans[run], rows, {})]
    capacities = {pool.name: pool.capacity for pool in waits.pools}
    stuck = stuck_waiters(capacities, waiters)
    left_alone = {key for key in stuck if key in tasks and tasks[key].claim in told}
    circle = circle_of(capacities, stuck, left_alone)
    keepers = [waiter for waiter in circle if waiter.holds]
    if not keepers:
        return None
    victim = max(keepers, key=lambda waiter: (waiter.since, waiter.key)).key
    return _untangled(circle, tasks[victim], plans[victim[0]], options[victim[0]], wall_now)


def _untangled(
    circle: Sequence[Waiter], victim: TaskRecord, plan: Plan, options: RunOptions, wall_now: float
) -> Untangling:
    token = Token(victim.run, victim.node, victim.item, victim.epoch, victim.claim or "")
    words = explained(circle)
    settlement: Settlement | None = None
    if options.on_deadlock == "break" and victim.deadlocks < DEADLOCKS_MAXIMUM:
        settlement = _tried_again(token, victim, words)
    elif options.on_deadlock != "report":
        settlement = _failed(token, victim, plan, words, wall_now)
    data = {
        "words": words,
        "circle": [_member(waiter) for waiter in circle],
        "victim": _named((victim.run, victim.node, victim.item)),
        "then": settlement.ending if settlement is not None else "reported",
    }
    runs = tuple(sorted({waiter.key[0] for waiter in circle}))
    return Untangling(token, runs, _json(data), settlement)


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
