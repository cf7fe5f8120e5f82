"""What waits for a person, and their word on it: `segue review`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer

from segue.cli.opening import AnyRunArgument, within
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
from segue.cli.persons import ByOption, NoteOption, person_named

if TYPE_CHECKING:
    from segue.app.host import Host
    from segue.app.views import ReviewView


class _Word(NamedTuple):
    """A decision as it was typed."""

    approve: bool
    by: str
    note: str
    digest: str | None
    output: str | None
    agents: str | None


@guarded
def review(
    run: AnyRunArgument = None,
    task: Annotated[
        str | None, typer.Argument(metavar="TASK", help="The task, such as `draft` or `draft[3]`.")
    ] = None,
    approve: Annotated[bool, typer.Option("--approve", help="Hand it over.")] = False,
    reject: Annotated[bool, typer.Option("--reject", help="Let the task fail.")] = False,
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
    by: ByOption = None,
    note: NoteOption = "",
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

    if not (approve or reject):
        _refuse_the_rest(digest, output, by, note, as_shown=as_shown)
        found, now = within(store, lambda host: _waiting(host, run, task))
        if as_json:
            print_json(found)
        elif task is not None:
            draw(review_picture(found[0]))
        elif found:
            draw(reviews_table(found, now, out().width))
        else:
            err().print("Nothing waits for a decision.")
        return
    _check_decision(task, digest, as_shown=as_shown, both=approve and reject)
    said = _Word(approve, person_named(by), note, digest, output, agents)
    told = _decide(store, run or "", task or "", said, draws=not as_json)
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


def _decide(store: str, run: str, task: str, word: _Word, *, draws: bool) -> dict[str, Any]:
    """Decide on a task, and what is to be told of that; shows first what is decided on where no digest was given."""
    from segue.app.loading import load_module
    from segue.app.reading import find_run
    from segue.app.reviewing import AS_SHOWN
    from segue.cli.inputs import json_value
    from segue.cli.reviews import review_picture
    from segue.domain.running.reviewing import Said

    value = AS_SHOWN if word.output is None else json_value(word.output, "--output")

    async def decide(host: Host) -> dict[str, Any]:
        digest = word.digest
        if digest is None:
            (view,), _ = await _waiting(host, run, task)
            if draws:
                draw(review_picture(view))
            found, digest = view.run, view.digest
        else:
            found = (await find_run(host.store, run)).run
        await host.review(found, task, Said(word.by, word.approve, digest, word.note), value)
        decision = "approved" if word.approve else "rejected"
        return {"run": found, "task": task, "decision": decision, "by": word.by, "digest": digest}

    return within(store, decide, agents=[] if word.agents is None else [load_module(word.agents)])


def _refuse_the_rest(
    digest: str | None, output: str | None, by: str | None, note: str, *, as_shown: bool
) -> None:
    from segue.errors import UsageError

    if digest is not None or output is not None or by is not None or note or as_shown:
        raise UsageError("this is about a decision, and not which way", remedy="Add --approve or --reject.")


def _check_decision(task: str | None, digest: str | None, *, as_shown: bool, both: bool) -> None:
    from segue.errors import UsageError

    if both:
        raise UsageError("a decision goes one way", remedy="Give one of the two: --approve, or --reject.")
    if task is None:
        raise UsageError("a decision is on one task", remedy="Name it: segue review RUN TASK --approve ...")
    if (digest is None) != as_shown:
        raise UsageError(
            "a decision is on what was shown",
            remedy="Look with `segue review RUN TASK` and give its --digest, or decide on what this command shows: "
            "--yes-as-shown.",
        )
