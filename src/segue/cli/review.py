"""What waits for a person, and their word on it: `segue review`."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Annotated, Any

import typer

from segue.cli.look import read
from segue.cli.output import (
    DEFAULT_STORE,
    DebugOption,
    JsonOption,
    StoreOption,
    draw,
    err,
    guarded,
    out,
    plain,
    print_json,
)
from segue.cli.persons import person_named

if TYPE_CHECKING:
    from segue.app.host import Host
    from segue.app.views import ReviewView


@guarded
def review(
    run: Annotated[
        str | None,
        typer.Argument(metavar="RUN", help="A run's id, the beginning of one, its key, or `latest`."),
    ] = None,
    task: Annotated[
        str | None, typer.Argument(metavar="TASK", help="The task, such as `draft` or `draft[3]`.")
    ] = None,
    approve: Annotated[
        bool | None, typer.Option("--approve/--reject", help="Hand it over, or let the task fail.")
    ] = None,
    digest: Annotated[
        str | None, typer.Option(metavar="SHA256", help="What you were shown: nothing else is decided on.")
    ] = None,
    as_shown: Annotated[
        bool, typer.Option("--yes-as-shown", help="Decide on what this very command shows, without a digest.")
    ] = False,
    output: Annotated[
        str | None, typer.Option(metavar="JSON", help="Approve it with this output; also @FILE, or `-`.")
    ] = None,
    agents: Annotated[
        str | None, typer.Option(metavar="MODULE", help="Where the agent is, to check another output.")
    ] = None,
    by: Annotated[
        str | None, typer.Option(metavar="NAME", help="Who decides; your user name if you say nothing.")
    ] = None,
    note: Annotated[str, typer.Option(metavar="TEXT", help="Why, for the record.")] = "",
    store: StoreOption = DEFAULT_STORE,
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """
    Show what waits for a person, and decide on it.

    Without a task it lists what waits; with one it shows what is to be decided on, and its digest. A decision names
    that digest. The run goes on where its agents are: `segue resume`.
    """
    from segue.cli.reviews import review_picture, reviews_table

    if approve is None:
        _refuse_the_rest(digest, as_shown, output)
        found, now = read(store, lambda host: _waiting(host, run, task))
        if as_json:
            print_json(found)
        elif task is not None:
            draw(review_picture(found[0]))
        elif found:
            draw(reviews_table(found, now, out().width))
        else:
            err().print("Nothing waits for a decision.")
        return
    _check_decision(task, digest, as_shown=as_shown)
    word = {"approve": approve, "by": person_named(by), "note": note}
    told = asyncio.run(_decide(store, run or "", task or "", digest, word, output, agents, show=not as_json))
    if as_json:
        print_json(told)
    else:
        out().print(f"{plain(told['task'])} {told['decision']} by {plain(told['by'])}")


async def _waiting(host: Host, run: str | None, task: str | None) -> tuple[tuple[ReviewView, ...], float]:
    """What waits: all of it, of a run, or of a task of it. Raises ReviewRefused where nothing waits of a task."""
    from segue.app.reading import find_run

    record = None if run is None else await find_run(host.store, run)
    found = await host.reviews(None if record is None else record.run)
    if record is not None and task is not None:
        found = tuple(view for view in found if view.task == task)
        if not found:
            raise await host.nothing_waits(record.run, task)
    return found, host.clock.wall()


async def _decide(
    store: str,
    run: str,
    task: str,
    digest: str | None,
    word: dict[str, Any],
    output: str | None,
    agents: str | None,
    *,
    show: bool,
) -> dict[str, Any]:
    from segue.app.loading import load_module
    from segue.app.reviewing import AS_SHOWN
    from segue.app.segue import Segue
    from segue.cli.inputs import json_value
    from segue.cli.opening import must_exist
    from segue.cli.reviews import review_picture

    must_exist(store)
    value = AS_SHOWN if output is None else json_value(output, "--output")
    offered = [] if agents is None else [load_module(agents)]
    async with Segue(store, worker=False, agents=offered) as segue:
        if digest is None:
            (view,), _ = await _waiting(segue.host, run, task)
            if show:
                draw(review_picture(view))
            found, digest = view.run, view.digest
        else:
            found = await _run_id(segue.host, run)
        await segue.review(found, task, digest=digest, output=value, **word)
        decision = "approved" if word["approve"] else "rejected"
        return {"run": found, "task": task, "decision": decision, "by": word["by"], "digest": digest}


async def _run_id(host: Host, run: str) -> str:
    from segue.app.reading import find_run

    return (await find_run(host.store, run)).run


def _refuse_the_rest(digest: str | None, as_shown: bool, output: str | None) -> None:
    from segue.errors import UsageError

    if digest is not None or as_shown or output is not None:
        raise UsageError("this says about what, and not which way", remedy="Add --approve or --reject.")


def _check_decision(task: str | None, digest: str | None, *, as_shown: bool) -> None:
    from segue.errors import UsageError

    if task is None:
        raise UsageError("a decision is on one task", remedy="Name it: segue review RUN TASK --approve ...")
    if (digest is None) != as_shown:
        raise UsageError(
            "a decision is on what was shown",
            remedy="Look with `segue review RUN TASK` and give its --digest, or decide on what this command shows: "
            "--yes-as-shown.",
        )
