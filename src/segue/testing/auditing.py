"""
Whether a store is sound: its log says what its tasks say, and every hand-off is what it was.

`audit` asks through the store's contract alone, so any store can be audited, one of your own too. It reads everything,
run by run, and expects that nobody writes meanwhile.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from typing import NamedTuple

from segue.domain.envelope.payload import digest_of
from segue.domain.event_names import is_event_name
from segue.domain.records import PAUSED_ITSELF, PAUSED_WITH_RUN, SINGLE, WHOLE_RUN, Pin, RunState, task_name
from segue.domain.rows import Event, PauseRecord, RunRecord, StoredHandoff, TaskRecord
from segue.errors import ArtifactError
from segue.ports.artifacts import ArtifactStore
from segue.ports.store import Store
from segue.testing.course import LEAVES_HANDOFF, Course, courses
from segue.testing.standstill import needs_a_person

PAGE = 1_000

_OPEN = frozenset({"waiting", "ready", "claimed", "needs_review", "in_doubt", "paused"})
_STATE_AFTER: dict[str, RunState] = {
    "run.started": "running",
    "run.resumed": "running",
    "run.needs_review": "needs_review",
    "run.complete": "complete",
    "run.failed": "failed",
    "run.cancelled": "cancelled",
}
"""The state of a run after each event that moves it; all others are remarks."""


class RunContents(NamedTuple):
    """All that a store says of one run. `handoffs` has every version of each task's hand-off, oldest first."""

    record: RunRecord
    graph: str | None
    tasks: Sequence[TaskRecord]
    pauses: Sequence[PauseRecord]
    events: Sequence[Event]
    handoffs: Mapping[tuple[str, int], Sequence[StoredHandoff]]


async def audit(store: Store, artifacts: ArtifactStore | None = None) -> list[str]:
    """
    Everything that is wrong with what a store holds, a line for each; empty if it is sound.

    With `artifacts`, every artifact that a hand-off points to is read and verified too.
    """
    problems: list[str] = []
    feed = await _feed(store)
    async for record in all_runs(store):
        contents = await read_contents(store, record)
        problems += [f"run {record.run}: {problem}" for problem in problems_of(contents)]
        if feed.pop(record.run, []) != [event.sequence for event in contents.events]:
            problems.append(f"run {record.run}: the log of the store and that of the run differ")
    problems += [f"run {run} has events and is not there" for run in feed]
    if artifacts is not None:
        problems += [problem async for problem in _damaged(store, artifacts)]
    return problems


async def read_contents(store: Store, record: RunRecord) -> RunContents:
    """Read all that a store says of a run."""
    tasks = await store.read_tasks(record.run)
    wanted = [(task.node, task.item, version) for task in tasks for version in range(1, task.version + 1)]
    handoffs = defaultdict(list)
    for stored in await store.read_handoffs(record.run, wanted):
        handoffs[stored.node, stored.item].append(stored)
    events = [event async for event in _events(store, record.run)]
    graph, pauses = await store.read_graph(record.graph_digest), await store.read_pauses(record.run)
    return RunContents(record, graph, tasks, pauses, events, handoffs)


def problems_of(contents: RunContents) -> Iterator[str]:
    """What is wrong with a run, told from what its store says of it."""
    record, graph, events = contents.record, contents.graph, contents.events
    if graph is None or digest_of(graph.encode()) != record.graph_digest:
        yield "its graph is missing or is not the one that was pinned"
    if [event.sequence for event in events] != list(range(1, len(events) + 1)):
        yield "its events are not numbered 1, 2, 3 ..."
    yield from (f"{event.name} is the name of no event" for event in events if not is_event_name(event.name))
    yield from _problems_of_state(contents)
    yield from _problems_of_pauses(contents)
    told = {course.task: course for course in courses(events)}
    for task in contents.tasks:
        name = task_name(task.node, task.item)
        yield from _problems_of_task(contents, task, told.pop(name, Course(name)))
    yield from (f"{name} has events and is not there" for name, each in told.items() if each.has_moved)


def _problems_of_state(contents: RunContents) -> Iterator[str]:
    record, tasks = contents.record, contents.tasks
    names = [event.name for event in contents.events if event.name.startswith("run.")]
    if names[:1] != ["run.started"] or names.count("run.started") != 1:
        yield "it does not begin with `run.started`"
    else:
        moves = [name for name in names if name in _STATE_AFTER]
        if _STATE_AFTER[moves[-1]] != record.state:
            yield f"it is {record.state}, and its last event is {moves[-1]}"
    if record.state in {"running", "needs_review"}:
        stands = needs_a_person(tasks)
        if stands != (record.state == "needs_review"):
            yield f"it is {record.state}, and {'only a person' if stands else 'it'} can move it"
        return
    left = [task_name(task.node, task.item) for task in tasks if task.state in _OPEN]
    if left:
        yield f"it has ended, and {', '.join(left)} has not"
    failed = any(task.state in {"failed", "dead", "cancelled"} and not task.tolerated for task in tasks)
    if record.state != "cancelled" and failed != (record.state == "failed"):
        yield f"it is {record.state}, and that is not what its tasks say"


def _problems_of_pauses(contents: RunContents) -> Iterator[str]:
    """Whether exactly what is paused says so, and stands still."""
    record = contents.record
    pauses = {(pause.node, pause.item): pause for pause in contents.pauses}
    whole = pauses.get(WHOLE_RUN)
    if record.paused != (whole is not None):
        yield "it is paused and nobody has paused it" if record.paused else "its pause is not kept with it"
    if record.ended_at is not None and pauses:
        yield "it has ended, and its pauses have not"
    opened = [(task.node, task.item) for task in contents.tasks if task.state in _OPEN]
    for key in pauses.keys() - {WHOLE_RUN}:
        if not any(_covers(key, each) for each in opened):
            yield f"{task_name(*key)} has settled, and its pause has not ended"
    for task in contents.tasks:
        name, key = task_name(task.node, task.item), (task.node, task.item)
        if task.state not in _OPEN:
            continue
        with_run = whole is not None and not _covers(whole.until, key)
        by_itself = any(_covers(each, key) for each in pauses)
        held = (bool(task.hold & PAUSED_ITSELF), bool(task.hold & PAUSED_WITH_RUN))
        if held != (by_itself, with_run):
            yield f"{name} has the hold {task.hold}, and that is not what the pauses say"
        if task.state == ("ready" if any(held) else "paused"):
            yield f"{name} is {task.state}, and has the hold {task.hold}"


def _covers(key: tuple[str, int] | None, task: tuple[str, int]) -> bool:
    """Whether what is said of a task, of a mapped one with all its items, is about this one."""
    return key is not None and key[0] == task[0] and key[1] in {SINGLE, task[1]}


def _problems_of_task(contents: RunContents, task: TaskRecord, course: Course) -> Iterator[str]:
    yield from course.problems
    if not course.fits(task.state):
        yield f"{course.task} is {task.state}, and its events say that it is {course.state}"
    if task.epoch != course.epoch:
        yield f"{course.task} has epoch {task.epoch}, and its events end with {course.epoch}"
    yield from (f"{course.task}: {problem}" for problem in _problems_of_handoffs(contents, task, course))
    for pin in task.pins:
        if not any(_is_pinned(pin, stored) for stored in contents.handoffs.get(pin[:2], ())):
            yield f"{course.task} was given version {pin.version} of {task_name(*pin[:2])}, which is not there"


def _is_pinned(pin: Pin, stored: StoredHandoff) -> bool:
    record = stored.record
    return (record.version, record.digest, record.status) == pin[2:]


def _problems_of_handoffs(contents: RunContents, task: TaskRecord, course: Course) -> Iterator[str]:
    """Each version is there once, as it was sent, and was told of when it was accepted."""
    versions = contents.handoffs.get((task.node, task.item), ())
    if [stored.record.version for stored in versions] != list(range(1, task.version + 1)):
        yield f"of its {task.version} hand-offs it has {[stored.record.version for stored in versions]}"
    for stored in versions:
        if digest_of(stored.record.body) != stored.record.digest:
            yield f"hand-off {stored.record.version} is damaged: its digest is another"
    kept = Counter((stored.epoch, stored.record.status) for stored in versions)
    told = Counter((epoch, LEAVES_HANDOFF[kind]) for epoch, kind in course.left)
    for epoch, status in kept - told:
        yield f"the {status} hand-off of epoch {epoch} was never told of"
    for epoch, status in told - kept:
        if status != "failed":  # whoever gives up may have nothing to say
            yield f"a {status} hand-off of epoch {epoch} was told of and is not there"


async def all_runs(store: Store) -> AsyncIterator[RunRecord]:
    """Every run of a store, newest first."""
    before = None
    while page := await store.list_runs(PAGE, before):
        for record in page:
            yield record
        before = page[-1].run


async def _events(store: Store, run: str | None) -> AsyncIterator[Event]:
    cursor = None
    while True:
        events, cursor = await store.tail(cursor, PAGE, run)
        for event in events:
            yield event
        if not events:
            return


async def _feed(store: Store) -> dict[str, list[int]]:
    """The numbers of all events in the order in which the store gives them, by run."""
    found: dict[str, list[int]] = {}
    async for event in _events(store, None):
        found.setdefault(event.run, []).append(event.sequence)
    return found


async def _damaged(store: Store, artifacts: ArtifactStore) -> AsyncIterator[str]:
    for digest in sorted(set(await store.artifact_references())):
        try:
            await artifacts.get(digest)
        except ArtifactError as error:
            yield f"a hand-off points to an artifact that is not there: {error.message}"
