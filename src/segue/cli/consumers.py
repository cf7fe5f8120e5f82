"""`segue consumers`: how far monitors and subscriptions have got, and what to do about one that does not get on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from segue.cli.opening import within
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
    table,
)
from segue.cli.persons import ByOption, NoteOption, person_named

if TYPE_CHECKING:
    from segue.app.consumers import ConsumerView, Word


@guarded
def consumers(
    name: Annotated[
        str | None, typer.Argument(metavar="NAME", help="Only this one: `monitor:guard`, `on:index`.")
    ] = None,
    retry: Annotated[
        bool,
        typer.Option("--retry", help="It is parked: let it try the event again that it could not handle."),
    ] = False,
    skip: Annotated[
        bool, typer.Option("--skip", help="It is parked: let it go on without that event.")
    ] = False,
    forget: Annotated[
        bool, typer.Option("--forget", help="It is not needed any more: keep no events for it.")
    ] = False,
    by: ByOption = None,
    note: NoteOption = "",
    store: StoreOption = DEFAULT_STORE,
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """
    List monitors and subscriptions, and how far each has got.

    One that could not handle an event again and again is parked: somebody has to say how it goes on.
    """
    from segue.app.consumers import decide, read_consumer_views
    from segue.errors import UsageError

    words: list[Word] = [word for word, said in _words(retry, skip, forget) if said]
    if len(words) > 1 or (words and name is None):
        raise UsageError(
            "one thing is done, with one consumer", remedy="Write it like: segue consumers on:index --retry"
        )
    if not words and (by is not None or note):
        raise UsageError("nothing is to be done here", remedy="Add --retry, --skip or --forget.")
    if words and name is not None:
        consumer, word, person = name, words[0], person_named(by)
        within(store, lambda host: decide(host.store, consumer, word, by=person, note=note))
        done = {"retry": "tries again", "skip": "goes on without it", "forget": "is forgotten"}[word]
        if as_json:
            print_json({"name": name, "done": word, "by": person})
        else:
            out().print(f"{plain(name)} {done}")
        return
    found = within(store, lambda host: read_consumer_views(host.store, name))
    if as_json:
        print_json(found)
    elif found:
        rows = [tuple(plain(cell) for cell in _cells(each)) for each in found]
        draw(table(("consumer", ">done", ">left", "at work", "trouble"), rows, "trouble", out().width))
    else:
        err().print("No consumers.")


def _words(retry: bool, skip: bool, forget: bool) -> list[tuple[Word, bool]]:
    return [("retry", retry), ("skip", skip), ("forget", forget)]


def _cells(view: ConsumerView) -> tuple[str, ...]:
    trouble = ""
    if view.error is not None:
        stands = "parked" if view.parked else f"failed {view.failures} times"
        trouble = f"{stands} at {view.error.get('event')}: {view.error.get('message')}"
    return view.name, str(view.position), str(view.lag), view.worker or "", trouble
