"""Looking: `segue runs`, `show`, `graph`, `events`; and `prune`, which forgets."""

from __future__ import annotations

from collections.abc import Awaitable, Collection
from typing import TYPE_CHECKING, Annotated, Any, TypeVar, get_args

import typer

from segue.cli.opening import AnyRunArgument, RunArgument, within
from segue.cli.output import (
    DEFAULT_STORE,
    DebugOption,
    JsonOption,
    StoreOption,
    block,
    draw,
    err,
    guarded,
    out,
    print_json,
    results,
)

if TYPE_CHECKING:
    from segue.app.host import Host
    from segue.domain.records import RunState

T = TypeVar("T")


@guarded
def runs(
    store: StoreOption = DEFAULT_STORE,
    limit: Annotated[
        int, typer.Option("--limit", "-n", min=1, max=10**9, help="How many, newest first.")
    ] = 20,
    state: Annotated[
        list[str] | None, typer.Option(help="Only running, needs_review, complete, failed or cancelled ones.")
    ] = None,
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """List runs, newest first."""
    from segue.app.reading import list_runs
    from segue.cli.pictures import runs_table

    states = _run_states(state or ())
    found, now = within(store, lambda host: _with_now(host, list_runs(host.store, limit, states=states)))
    if as_json:
        print_json(found)
    elif found:
        draw(runs_table(found, now, out().width))
    else:
        err().print("No runs." if not states else f"No runs that are {', '.join(states)}.")


@guarded
def show(
    run: RunArgument,
    task: Annotated[str | None, typer.Argument(metavar="TASK", help="A task: `name` or `name[3]`.")] = None,
    store: StoreOption = DEFAULT_STORE,
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """
    Show a run, or one task of it.

    A run with its tasks and why those that failed did; a task with its inputs, hand-offs and output.
    """
    from segue.app.reading import find_run, read_task, read_view
    from segue.cli.pictures import run_picture
    from segue.cli.task_picture import task_picture

    async def whole(host: Host) -> Any:
        return await read_view(host.store, await find_run(host.store, run), host.clock.wall())

    async def one(host: Host, name: str) -> Any:
        return await read_task(host.store, host.artifacts, await find_run(host.store, run), name)

    if task is None:
        view = within(store, whole)
        print_json(view) if as_json else draw(run_picture(view, out().width))
    else:
        name = task
        detail = within(store, lambda host: one(host, name))
        print_json(detail) if as_json else draw(task_picture(detail))


@guarded
def events(
    run: AnyRunArgument = None,
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Wait for more, until the run has ended.")
    ] = False,
    names: Annotated[
        list[str] | None,
        typer.Option("--names", metavar="PATTERN", help="Such as task.complete or task.write.*"),
    ] = None,
    after: Annotated[str | None, typer.Option(metavar="CURSOR", help="Only those after this cursor.")] = None,
    store: StoreOption = DEFAULT_STORE,
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """
    Print what happened; with --follow, what happens.

    With --json each line is one event with its cursor.
    """
    from segue.app.reading import find_run, stored_events
    from segue.cli.event_lines import event_document, print_event
    from segue.domain.event_names import check_patterns

    console = out()

    async def tell(host: Host) -> None:
        record = None if run is None else await find_run(host.store, run)
        found = None if record is None else record.run
        wanted = check_patterns(names or ())
        told = (
            host.events(found, wanted, after) if follow else stored_events(host.store, found, wanted, after)
        )
        async for event in told:
            if as_json:
                print_json(event_document(event), indented=False)
            else:
                print_event(console, event, with_run=found is None)

    within(store, tell)


@guarded
def graph(
    target: Annotated[
        str | None,
        typer.Argument(metavar="MODULE:WORKFLOW", help="A workflow, or the path of a graph in JSON or YAML."),
    ] = None,
    run: Annotated[
        str | None, typer.Option("--run", metavar="RUN", help="The graph of a run, as it stands.")
    ] = None,
    form: Annotated[str, typer.Option("--format", help="text, mermaid, dot or json.")] = "text",
    agents: Annotated[
        str | None,
        typer.Option("--agents", metavar="MODULE", help="The module with the agents of a graph file."),
    ] = None,
    store: StoreOption = DEFAULT_STORE,
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """
    Check a workflow and print its graph, or that of a run.

    With what crosses each edge; for a run also where each hand-off stands, its time and bytes.
    """
    from segue.app.loading import load_built
    from segue.app.reading import Drawn, find_run, read_drawn
    from segue.cli.pictures import drawer
    from segue.errors import UsageError

    if as_json and form not in ("text", "json"):
        raise UsageError(
            "a graph is drawn in one form", remedy=f"Give one of the two: --json, or --format {form}"
        )
    draw = drawer("json" if as_json else form)
    if (target is None) == (run is None):
        raise UsageError(
            "a graph is that of a workflow or that of a run",
            remedy="Give one of the two: segue graph module:workflow, or segue graph --run RUN",
        )
    if run is not None and agents is not None:
        raise UsageError("a run has its graph in the store", remedy="Leave out --agents.")

    async def stored(host: Host, name: str) -> Drawn:
        return await read_drawn(host.store, await find_run(host.store, name))

    if target is not None:
        built = load_built(target, agents)
        text = draw(built.graph, built.schemas, None)
    else:
        name = run or ""
        text = draw(*within(store, lambda host: stored(host, name)))
    results().write(block(text))


@guarded
def prune(
    older_than: Annotated[
        str, typer.Option("--older-than", metavar="DURATION", help='Such as "7d" or "12h".')
    ],
    store: StoreOption = DEFAULT_STORE,
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """
    Delete runs that ended long ago.

    With their events, and artifacts that nothing points to any more.
    """
    from segue.demo.words import counted
    from segue.domain.settings.durations import named_seconds

    seconds = named_seconds("--older-than", older_than)
    count = within(store, lambda host: host.prune(seconds))
    if as_json:
        print_json({"pruned": count})
    else:
        out().print(f"Deleted {counted(count, 'run')}.")


def _run_states(given: Collection[str]) -> tuple[RunState, ...]:
    from segue.domain.records import RunState
    from segue.errors import UsageError

    known: tuple[RunState, ...] = get_args(RunState)
    for state in given:
        if state not in known:
            raise UsageError(f"there is no state {state!r}", remedy=f"Runs are {', '.join(known)}.")
    return tuple(state for state in known if state in given)


async def _with_now(host: Host, answer: Awaitable[T]) -> tuple[T, float]:
    return await answer, host.clock.wall()
