"""What a person wants with a run: `segue pause`, `cancel`, `retry`, `reassign`, `annotate`. `resume` also runs it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from segue.cli.opening import RunArgument, within
from segue.cli.output import (
    DEFAULT_STORE,
    DebugOption,
    JsonOption,
    StoreOption,
    guarded,
    out,
    plain,
    print_json,
)
from segue.cli.persons import ByOption, person_named

if TYPE_CHECKING:
    from segue.app.controlling import Controlled
    from segue.app.host import Host
    from segue.domain.decisions import ControlKind

TaskArgument = Annotated[
    str | None,
    typer.Argument(metavar="TASK", help="One task of it, `name` or `name[3]`; else the whole run."),
]
ReasonOption = Annotated[str, typer.Option(metavar="TEXT", help="Why, for the record.")]
CommandOption = Annotated[
    str | None, typer.Option(metavar="NAME", help="A name for this command: under it, it is done once.")
]

_DONE = {
    "pause": "paused",
    "resume": "resumed",
    "cancel": "cancelled",
    "retry": "tried again",
    "reassign": "reassigned",
    "annotate": "noted",
}


@guarded
def pause(
    run: RunArgument,
    task: TaskArgument = None,
    until: Annotated[
        str | None, typer.Option(metavar="TASK", help="Go on without being told when this task has settled.")
    ] = None,
    interrupt: Annotated[
        bool, typer.Option("--interrupt", help="Stop what runs; it begins anew when it goes on.")
    ] = False,
    by: ByOption = None,
    reason: ReasonOption = "",
    command: CommandOption = None,
    store: StoreOption = DEFAULT_STORE,
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """
    Let a run, or one task of it, stand still.

    Nothing new starts; what runs may end, and its hand-off is kept. `segue resume` lets it go on.
    """
    control("pause", store, as_json, run, task, by, reason, command, until=until, interrupt=interrupt)


@guarded
def cancel(
    run: RunArgument,
    task: TaskArgument = None,
    by: ByOption = None,
    reason: ReasonOption = "",
    command: CommandOption = None,
    store: StoreOption = DEFAULT_STORE,
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """
    Cancel a run, or one task of it.

    What runs is stopped, and nothing of it is accepted any more. Those who need a cancelled task are skipped.
    """
    control("cancel", store, as_json, run, task, by, reason, command)


@guarded
def retry(
    run: RunArgument,
    task: Annotated[
        str | None,
        typer.Argument(
            metavar="TASK", help="The task to try again; all that were given up if you name none."
        ),
    ] = None,
    by: ByOption = None,
    reason: ReasonOption = "",
    command: CommandOption = None,
    store: StoreOption = DEFAULT_STORE,
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """
    Try dead letters of a run again.

    With what was skipped because of them. The run goes on where its agents are.
    """
    control("retry", store, as_json, run, task, by, reason, command)


@guarded
def reassign(
    run: RunArgument,
    task: Annotated[str, typer.Argument(metavar="TASK", help="The task, `name` or `name[3]`.")],
    to: Annotated[
        str | None, typer.Option(metavar="AGENT", help="Another agent that takes and gives the same.")
    ] = None,
    by: ByOption = None,
    reason: ReasonOption = "",
    command: CommandOption = None,
    store: StoreOption = DEFAULT_STORE,
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """
    Take a task from its worker, for another one.

    Any worker may begin it anew; with --to it is given to another agent.
    """
    control("reassign", store, as_json, run, task, by, reason, command, to=to)


@guarded
def annotate(
    run: RunArgument,
    task: TaskArgument = None,
    note: Annotated[str, typer.Option(metavar="TEXT", help="What is to be known.")] = "",
    by: ByOption = None,
    command: CommandOption = None,
    store: StoreOption = DEFAULT_STORE,
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """Write a note about a run, or one task of it, into its log."""
    control("annotate", store, as_json, run, task, by, note, command)


def control(
    kind: ControlKind,
    store: str,
    as_json: bool,
    run: str,
    task: str | None,
    by: str | None,
    reason: str,
    command: str | None,
    **more: Any,
) -> None:
    """Do what a person wants with a run, and say what became of it."""
    from segue.app.controlling import Wish
    from segue.app.reading import find_run

    person = person_named(by)

    async def tell(host: Host) -> Controlled:
        record = await find_run(host.store, run)
        return await host.control(Wish(kind, record.run, task, person, reason, command, **more))

    controlled = within(store, tell)
    if as_json:
        why = {"note" if kind == "annotate" else "reason": reason}
        print_json({"control": kind, "by": person, **why, **_document(controlled)})
    else:
        _print_controlled(kind, controlled, person)


def _print_controlled(kind: ControlKind, controlled: Controlled, person: str) -> None:
    what = ", ".join(controlled.tasks) or f"run {controlled.run}"
    before = " before, by this very command" if controlled.verdict == "done before" else ""
    out().print(f"{plain(what)}: {_DONE[kind]} by {plain(person)}{before}", soft_wrap=True)
    if kind == "retry":
        out().print(f"It goes on where its agents are: segue resume {controlled.run}", soft_wrap=True)


def _document(controlled: Controlled) -> dict[str, Any]:
    return {
        "run": controlled.run,
        "tasks": list(controlled.tasks),
        "verdict": controlled.verdict,
        "command": controlled.command,
    }
