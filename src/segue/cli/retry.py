"""A person's word on what was given up: `segue retry`."""

from __future__ import annotations

import asyncio
from typing import Annotated

import typer

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


@guarded
def retry(
    run: Annotated[str, typer.Argument(help="A run's id, the beginning of one, its key, or `latest`.")],
    task: Annotated[
        str | None, typer.Argument(help="The task to try again; all that were given up if you name none.")
    ] = None,
    reason: Annotated[str, typer.Option(help="Why, for the record.")] = "",
    store: StoreOption = DEFAULT_STORE,
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """
    Try dead letters of a run again.

    With what was skipped because of them. The run goes on where its agents are.
    """
    from segue.app.reading import find_run
    from segue.app.segue import Segue
    from segue.cli.opening import must_exist

    must_exist(store)

    async def tell() -> tuple[str, tuple[str, ...]]:
        async with Segue(store, worker=False) as segue:
            record = await find_run(segue.host.store, run)
            return record.run, await segue.host.retry(record.run, task, reason)

    found, tasks = asyncio.run(tell())
    if as_json:
        print_json({"run": found, "tasks": list(tasks), "reason": reason})
    else:
        out().print(f"trying again: {plain(', '.join(tasks))}; it goes on with `segue resume {found}`")
