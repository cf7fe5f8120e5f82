"""Running: `segue run` and `segue resume`."""

from __future__ import annotations

import asyncio
import json
import os
import shlex
import sys
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from segue.cli.control import CommandOption, ReasonOption, control
from segue.cli.opening import AnyRunArgument, must_exist, within
from segue.cli.output import (
    DEFAULT_STORE,
    INTERRUPTED,
    SHORT_ID_CHARACTERS,
    STORE_VARIABLE,
    DebugOption,
    JsonOption,
    StoreOption,
    block,
    err,
    guarded,
    out,
    plain,
    print_json,
    results,
    styled,
)
from segue.cli.persons import ByOption
from segue.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from segue.app.host import Host
    from segue.app.views import RunView
    from segue.domain.rows import RunRecord

MOST_RESUMED = 10_000
"""Runs that one `segue resume` looks for at most."""

_EXIT_CODES = {"complete": 0, "failed": 5, "cancelled": 6, "needs_review": 7}


class Durability(StrEnum):
    """What an accepted hand-off survives."""

    durable = "durable"
    fast = "fast"


KeyOption = Annotated[
    str | None, typer.Option(metavar="NAME", help="Names this piece of work: it is started only once.")
]
DeadlineOption = Annotated[
    str | None, typer.Option(metavar="DURATION", help='How long the whole run may take, such as "2m".')
]
TimeoutOption = Annotated[
    str | None, typer.Option(metavar="DURATION", help="How long an attempt may run, unless its agent says.")
]
IdleOption = Annotated[
    str | None,
    typer.Option(metavar="DURATION", help="How long it may show no progress, unless its agent says."),
]
QueueOption = Annotated[
    str | None,
    typer.Option(metavar="DURATION", help="How long a task may wait for a worker, unless its agent says."),
]
ConcurrencyOption = Annotated[int, typer.Option(min=1, help="How many agents may run here at once.")]
DurabilityOption = Annotated[
    Durability, typer.Option(help="An accepted hand-off survives power loss (durable) or kill -9 (fast).")
]


@guarded
def run(
    target: Annotated[
        str,
        typer.Argument(
            metavar="MODULE:WORKFLOW", help="What to run, or the path of a graph in JSON or YAML."
        ),
    ],
    text: Annotated[
        str | None,
        typer.Option("--input", "-i", metavar="JSON|@FILE|-", help="The input: JSON, a file, or stdin."),
    ] = None,
    store: StoreOption = DEFAULT_STORE,
    key: KeyOption = None,
    deadline: DeadlineOption = None,
    timeout: TimeoutOption = None,
    idle: IdleOption = None,
    queue: QueueOption = None,
    durability: DurabilityOption = Durability.durable,
    concurrency: ConcurrencyOption = 64,
    agents: Annotated[
        str | None,
        typer.Option("--agents", metavar="MODULE", help="The module with the agents of a graph file."),
    ] = None,
    detach: Annotated[
        bool, typer.Option("--detach", help="Only submit it, for workers elsewhere, and print its id.")
    ] = False,
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """Run a workflow and print what it returns."""
    from segue.app.loading import load_built, load_module
    from segue.app.offering import agents_beside
    from segue.app.segue import Segue
    from segue.app.submission import input_documents, request_of
    from segue.cli.inputs import input_values

    built = load_built(target, agents)
    values = input_values(built, text)
    # All that can be wrong with what was typed is found before there is a store.
    input_documents(built, (), values)
    module = agents or target.partition(":")[0]
    # Of the same module are those to whom a task may be handed on; about events only `segue worker` does something.
    offered = agents_beside(built, load_module(module))
    segue = Segue(
        store, agents=[offered], durability=durability.value, concurrency=concurrency, worker=not detach
    )
    given = {"timeout": timeout, "idle": idle, "queue": queue}
    budgets: Any = {name: value for name, value in given.items() if value is not None}
    request = request_of(key, None, (), deadline, None, segue.host.clock.wall(), module, budgets)

    async def submit_and_wait() -> None:
        async with segue:
            handle = await segue.host.submit(built, (), values, request)
            if not detach:
                await _finish(segue.host, handle.run, module, as_json)
            elif as_json:
                print_json({"run": handle.run, "workflow": built.graph.workflow})
            else:
                results().write(f"{handle.run}\n")

    asyncio.run(submit_and_wait())


@guarded
def resume(
    which: AnyRunArgument = None,
    task: Annotated[
        str | None, typer.Argument(metavar="TASK", help="A paused task of it that is to go on.")
    ] = None,
    agents: Annotated[
        str | None,
        typer.Option("--agents", metavar="MODULE", help="The module that has the agents of the runs."),
    ] = None,
    by: ByOption = None,
    reason: ReasonOption = "",
    command: CommandOption = None,
    store: StoreOption = DEFAULT_STORE,
    durability: DurabilityOption = Durability.durable,
    concurrency: ConcurrencyOption = 64,
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """
    Go on with runs whose process ended: RUN, or all.

    What was handed over before is not run again. A pause of RUN, or of TASK, ends; without --agents, that is all.
    """
    if which is None and (command is not None or by is not None or reason):
        raise UsageError(
            "a command is about one run", remedy="Name it: segue resume RUN; without it, all just go on."
        )
    if which is not None and (task is not None or command is not None or _is_paused(store, which)):
        control("resume", store, as_json and agents is None, which, task, by, reason, command)
        if agents is None:
            return
    from segue.app.loading import load_module
    from segue.app.segue import Segue

    must_exist(store)
    modules = () if agents is None else (load_module(agents.partition(":")[0]),)
    segue = Segue(store, agents=modules, durability=durability.value, concurrency=concurrency)

    async def wait() -> int:
        async with segue:
            records = await _resumable(segue.host, which, agents)
            if len(records) == 1:
                await _finish(segue.host, records[0].run, agents or "MODULE", as_json)
                return 0
            return await _wait_for_all(segue.host, records, agents or "MODULE", as_json)

    code = asyncio.run(wait())
    if code:
        raise typer.Exit(code)


def _is_paused(store: str, which: str) -> bool:
    from segue.app.reading import find_run

    async def look(host: Host) -> bool:
        record = await find_run(host.store, which)
        return record.paused and record.ended_at is None

    return within(store, look)


async def _resumable(host: Host, which: str | None, agents: str | None) -> Sequence[RunRecord]:
    """The runs to go on with, oldest first. Raises UsageError if there are some and their agents are not known here."""
    from segue.app.reading import find_run

    if which is not None:
        record = await find_run(host.store, which)
        needed = await _agents_of(host, record)
        missing = _missing(host, needed) if record.ended_at is None else []
        if missing:
            raise _unknown_agents(record, missing, agents)
        if not needed and record.ended_at is None:
            raise UsageError(
                f"no worker runs anything of run {record.run}: its tasks are handed over for by others",
                remedy=f"Watch it with `segue events {record.run} --follow`.",
            )
        return [record]
    unfinished = list(reversed(await host.store.list_runs(MOST_RESUMED, None, {"running"})))
    # What is paused would be waited for until somebody resumes it, and what only others hand over for until they do.
    needed_by = {record.run: await _agents_of(host, record) for record in unfinished if not record.paused}
    unfinished = [record for record in unfinished if needed_by.get(record.run)]
    known = [record for record in unfinished if not _missing(host, needed_by[record.run])]
    if unfinished and not known:
        raise _unknown_agents(unfinished[0], _missing(host, needed_by[unfinished[0].run]), agents)
    return known


async def _agents_of(host: Host, record: RunRecord) -> set[str]:
    """The agents of a run that workers run."""
    from segue.app.reading import read_graph

    graph = await read_graph(host.store, record)
    return {node.agent for node in graph.nodes if not node.settings.external}


def _missing(host: Host, agents: set[str]) -> list[str]:
    return sorted(name for name in agents if name not in host.engine.registry)


def _unknown_agents(record: RunRecord, missing: list[str], agents: str | None) -> Exception:
    from segue.domain.settings.options import RunOptions

    names = ", ".join(missing)
    if agents is None:
        module = RunOptions.from_json(record.options).module or "MODULE"
        command = shlex.join(["segue", "resume", record.run[:SHORT_ID_CHARACTERS], "--agents", module])
        return UsageError(
            f"run {record.run} of {record.workflow!r} needs the agents {names}",
            remedy=f"Say which module has them: {command}",
        )
    return UsageError(
        f"run {record.run} of {record.workflow!r} needs the agents {names}, which {agents!r} does not have",
        remedy="Give the module that they were run from; `segue show RUN` lists a run's agents.",
    )


async def wait_for(host: Host, run: str, agents: str, as_json: bool) -> tuple[RunView, Any]:
    """
    Wait for a run, showing how it comes along; what became of it and what it returned, as plain JSON data.

    Raises what `host.result` raises. When it is interrupted it says how to go on, with the module `agents`.
    """
    from segue.app.reading import read_view
    from segue.cli.live import picture_of, wants_picture

    try:
        async with picture_of(host, run, wants_picture(as_json)):
            result = await host.result(run, None)
    except asyncio.CancelledError:
        _tell_interrupted(host, run, agents, as_json)
        raise
    return await read_view(host.store, await host.read_run(run), host.clock.wall()), result


async def _finish(host: Host, run: str, agents: str, as_json: bool) -> None:
    """Wait for a run and print what it returned."""
    from segue.cli.live import totals_line, wants_picture

    view, result = await wait_for(host, run, agents, as_json)
    if as_json:
        head = {"run": run, "workflow": view.workflow, "state": view.state}
        print_json({**head, "result": result, "totals": view.totals})
        return
    if wants_picture(as_json):
        err().print(totals_line(view.totals), soft_wrap=True)
    _print_result(result)


def _print_result(result: Any) -> None:
    if isinstance(result, str):
        results().write(block(result) + "\n")
    elif result is not None:
        print_json(result)


async def _wait_for_all(host: Host, records: Sequence[RunRecord], agents: str, as_json: bool) -> int:
    """Wait for several runs, telling of each as it ends; the exit code is that of the worst."""
    if not records and not as_json:
        err().print("Nothing to resume: every run has ended, is paused, or waits for others.")
    code = 0
    for record in records:
        try:
            state = await host.ended(record.run)
        except asyncio.CancelledError:
            _tell_interrupted(host, record.run, agents, as_json)
            raise
        code = max(code, _EXIT_CODES[state]) if code != _EXIT_CODES["failed"] else code
        if as_json:
            print_json({"run": record.run, "workflow": record.workflow, "state": state})
        else:
            out().print(record.run, plain(record.workflow), styled(state))
    return code


def _tell_interrupted(host: Host, run: str, agents: str, as_json: bool) -> None:
    command = ["segue", "resume", run[:SHORT_ID_CHARACTERS], "--agents", agents]
    if host.url != os.environ.get(STORE_VARIABLE, DEFAULT_STORE):
        command += ["--store", host.url]
    if as_json:
        told = {"error": "Interrupted", "message": f"run {run} is durable and can be resumed"}
        remedy = {"remedy": shlex.join(command), "exit_code": INTERRUPTED, "run": run}
        sys.stderr.write(json.dumps({**told, **remedy}) + "\n")
        return
    console = err()
    console.print("Interrupted. The run is durable; it goes on where it stopped with:", soft_wrap=True)
    console.print(f"  {shlex.join(command)}", soft_wrap=True, markup=False)
