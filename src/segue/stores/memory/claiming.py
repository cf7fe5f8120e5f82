"""Which tasks a worker gets: those that are only to be settled, then those that it is to run."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from segue.domain.envelope.versions import can_read
from segue.domain.records import Claim, ClaimRequest
from segue.stores.looking import Looks
from segue.stores.memory.pooling import pooled_to_run
from segue.stores.memory.rows import Task
from segue.stores.memory.state import State


def own_claims(state: State, claim: str) -> Sequence[Claim]:
    """What a request was given before, and still has."""
    own = [
        task.granted()
        for run in state.runs.values()
        for task in run.tasks.values()
        if task.state == "claimed" and task.claim and task.claim.rpartition(".")[0] == claim
    ]
    return sorted(own, key=lambda claim: int(claim.token.claim.rpartition(".")[2]))


def claim_ready(state: State, request: ClaimRequest) -> Sequence[Claim]:
    """Claim what there is for a worker, up to its limit."""
    if request.tasks:
        chosen = _named(state, request)
    else:
        chosen = _to_settle(state)[: request.limit]
        chosen += _to_run(state, request, request.limit - len(chosen))
    return [
        state.grant(
            state.runs[task.run], task, f"{request.claim}.{number}", request.worker, request.lease_seconds
        )
        for number, task in enumerate(chosen)
    ]


def _named(state: State, request: ClaimRequest) -> list[Task]:
    """Of the tasks that a request names those that can be worked on now."""
    wanted = set(request.tasks)
    found = [task for task in state.ready_tasks() if _key(task) in wanted and _is_due(state, task)]
    fitting = pooled_to_run(state, found, {task.agent: request.limit for task in found}, len(found))
    return sorted((task for task in found if not task.pools or task in fitting), key=_key)[: request.limit]


def _is_due(state: State, task: Task) -> bool:
    return task.due <= state.clock.boot() and not task.broken and state.overrun(task) is None


def _to_settle(state: State) -> list[Task]:
    """The tasks that any worker may have, because nobody is to run them any more."""
    boot, wall = state.clock.boot(), state.clock.wall()
    tasks = state.ready_tasks()
    lying = [*tasks, *state.paused_tasks()]
    broken = [(task.due, *_key(task), task) for task in tasks if task.broken and task.due <= boot]
    unclaimed = [(task.queue_by, *_key(task), task) for task in tasks if _has_passed(task.queue_by, boot)]
    too_late = [(task.deadline, *_key(task), task) for task in lying if _has_passed(task.deadline, wall)]
    found = {_key(task): task for *_, task in [*sorted(broken), *sorted(unclaimed), *sorted(too_late)]}
    return list(found.values())


def _to_run(state: State, request: ClaimRequest, limit: int) -> list[Task]:
    """The tasks of a worker's agents, oldest first, that find places in their pools, and not too many suspects."""
    limits = dict.fromkeys(request.agents, limit) | dict(request.per_agent)
    suspects = request.suspects
    ready = [
        task
        for task in state.ready_tasks()
        if _is_due(state, task)
        and task.agent in request.agents
        and (task.requires is None or can_read(task.requires, request.reads))
    ]
    pooled = pooled_to_run(state, ready, limits, suspects)
    chosen: list[Task] = []
    for task in sorted(
        [*pooled, *(each for each in ready if not each.pools)], key=lambda task: (task.due, *_key(task))
    ):
        if len(chosen) == limit:
            break
        if limits[task.agent] > 0 and suspects >= task.is_suspect:
            limits[task.agent] -= 1
            suspects -= task.is_suspect
            chosen.append(task)
    return chosen


def seconds_until_due(state: State, agents: Collection[str], looks: Looks) -> list[float]:
    """How long it is to each moment at which somebody should look again."""
    boot, wall = state.clock.boot(), state.clock.wall()
    since_boot, since_wall = looks.since_any(boot, wall)
    ready = state.ready_tasks()
    lying = [*ready, *state.paused_tasks()]
    claimed = [task for run in state.runs.values() for task in run.tasks.values() if task.state == "claimed"]
    by_boot = [
        *(task.due for task in ready if task.agent in agents and task.due > looks.since(task.agent, boot)),
        *(task.queue_by for task in ready if task.queue_by is not None and task.queue_by > since_boot),
        *(task.lease for task in claimed),
    ]
    by_wall = [
        *(task.deadline for task in lying if task.deadline is not None and task.deadline > since_wall),
        *(task.deadline for task in claimed if task.deadline is not None and task.overrun != "deadline"),
    ]
    return [*(time - boot for time in by_boot), *(time - wall for time in by_wall)]


def _key(task: Task) -> tuple[str, str, int]:
    return (task.run, task.node, task.item)


def _has_passed(moment: float | None, now: float) -> bool:
    return moment is not None and moment <= now
