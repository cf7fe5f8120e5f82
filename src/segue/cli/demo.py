"""`segue demo`: the main job on real input, and what happens when its process is killed."""

from __future__ import annotations

import asyncio
import secrets
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from segue.cli.output import (
    DEFAULT_STORE,
    SHORT_ID_CHARACTERS,
    DebugOption,
    JsonOption,
    StoreOption,
    err,
    guarded,
    out,
    plain,
    print_json,
)
from segue.demo.words import counted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from segue.app.views import RunView
    from segue.demo.crash import CrashReport, Killed

SHOWN_TASKS = 3


@guarded
def demo(
    path: Annotated[Path, typer.Argument(metavar="PATH", help="The repository to review.")] = Path(),
    crash: Annotated[
        bool, typer.Option("--crash", help="Kill the worker process in the middle and go on in another.")
    ] = False,
    output: Annotated[Path, typer.Option("--out", metavar="FOLDER", help="Where the report goes.")] = Path(
        "segue-report"
    ),
    store: StoreOption = DEFAULT_STORE,
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """
    Review a repository with a dozen agents.

    No model, no network, real findings. The report is in FOLDER afterwards.
    """
    from segue.demo.publishing import add_run
    from segue.errors import UsageError

    if not path.is_dir():
        raise UsageError(
            f"{str(path)!r} is not a folder", remedy="Give the path of a repository: segue demo PATH"
        )
    view, report, story = asyncio.run(_review(store, path.resolve(), output.resolve(), crash, as_json))
    add_run(output, view)
    if as_json:
        crashed = (
            None
            if story is None
            else {
                "killed": story.killed._asdict(),
                "resumed_by": story.resumed_by,
                **story.comparison._asdict(),
            }
        )
        head = {"run": view.run, "workflow": view.workflow, "state": view.state}
        print_json({**head, "result": report, "totals": view.totals, "crash": crashed})
    else:
        _tell(view, report, story)
    if story is not None and story.comparison.broken:
        raise typer.Exit(1)


async def _review(
    store: str, repository: Path, folder: Path, crash: bool, as_json: bool
) -> tuple[RunView, Any, CrashReport | None]:
    """Run the review here, or in processes of its own of which the first is killed."""
    from segue.app.segue import Segue
    from segue.app.submission import RunRequest
    from segue.cli.run import wait_for
    from segue.demo.crash import WORKFLOW, crash_and_resume
    from segue.demo.workflow import review

    values = {"repository": str(repository), "folder": str(folder)}
    async with Segue(store, worker=not crash) as segue:
        host = segue.host
        if not crash:
            handle = await host.submit(review.build(), (), values, RunRequest())
            return *await wait_for(host, handle.run, WORKFLOW, as_json), None

        def on_kill(killed: Killed) -> None:
            if not as_json:
                err().print(killed_line(killed), soft_wrap=True, markup=False)

        if not as_json:
            err().print("Reviewing in a process of its own, which will be killed in the middle.")
        story = await crash_and_resume(
            segue,
            values["repository"],
            values["folder"],
            f"demo-crash-{secrets.token_hex(6)}",
            on_kill=on_kill,
            meanwhile=lambda run: wait_for(host, run, WORKFLOW, as_json),
        )
        return story.run, await host.result(story.run.run, None), story


def killed_line(killed: Killed) -> str:
    """What happened to the first process."""
    from segue.domain.measures import seconds_in_words

    return (
        f"Process {killed.process} killed (SIGKILL) after {seconds_in_words(killed.after_seconds)}: "
        f"{counted(len(killed.handed_over), 'task')} had handed over, {len(killed.running)} ran."
    )


def story_lines(story: CrashReport) -> list[str]:
    """What became of the tasks."""
    fates = story.comparison
    lines = [
        f"Process {story.resumed_by} went on.",
        f"  kept:       {counted(len(fates.kept), 'hand-off')}, byte for byte; none of those tasks ran again",
        f"  ran again:  {_names(fates.again) or 'nothing'}",
        f"  ran later:  {counted(len(fates.later), 'task')}",
    ]
    if fates.broken:
        lines.append(f"  BROKEN:     {_names(fates.broken)} ran again although they had handed over")
    return lines


def _names(tasks: Sequence[str]) -> str:
    shown = ", ".join(plain(task) for task in tasks[:SHOWN_TASKS])
    return f"{shown} and {len(tasks) - SHOWN_TASKS} more" if len(tasks) > SHOWN_TASKS else shown


def _tell(view: RunView, report: Any, story: CrashReport | None) -> None:
    from segue.cli.live import totals_line

    console = out()
    lines = [] if story is None else story_lines(story)
    lines += [plain(report["headline"])]
    lines += [f"  {plain(str(Path(report['folder']) / name))}" for name in report["files"]]
    lines += [f"  segue show {view.run[:SHORT_ID_CHARACTERS]}"]
    for line in lines:
        console.print(line, soft_wrap=True, markup=False)
    console.print(totals_line(view.totals), soft_wrap=True)
