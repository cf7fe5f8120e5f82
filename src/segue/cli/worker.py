"""Working until told to stop: `segue worker`."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Annotated

import typer

from segue.cli.leaving import leave_soon
from segue.cli.opening import must_be_shared
from segue.cli.output import DEFAULT_STORE, DebugOption, JsonOption, StoreOption, guarded
from segue.cli.run import ConcurrencyOption, Durability, DurabilityOption
from segue.errors import SegueError, UsageError

if TYPE_CHECKING:
    from segue.app.offering import Offer


@guarded
def worker(
    modules: Annotated[list[str], typer.Argument(metavar="MODULE", help="Where its agents are.")],
    store: StoreOption = DEFAULT_STORE,
    agent: Annotated[
        list[str] | None,
        typer.Option("--agent", metavar="NAME", help="Only tasks of this agent; may be given several times."),
    ] = None,
    durability: DurabilityOption = Durability.durable,
    concurrency: ConcurrencyOption = 64,
    grace: Annotated[
        str, typer.Option(metavar="DURATION", help="How long what runs may go on when it is told to stop.")
    ] = "30s",
    lease: Annotated[
        str, typer.Option(metavar="DURATION", help="How long it keeps its tasks if it is not heard of.")
    ] = "10s",
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """
    Take tasks of agents until told to stop.

    SIGTERM or Ctrl-C lets what runs end and hands the rest back; a second one hands everything back at once.
    """
    from segue.app.segue import Segue
    from segue.app.serving import Serving, Told
    from segue.cli.worker_lines import lines_of
    from segue.domain.settings.durations import named_seconds

    must_be_shared(store)
    grace_seconds, lease_seconds = named_seconds("--grace", grace), named_seconds("--lease", lease)
    offer = _offer(modules, agent or ())
    segue = Segue(
        store,
        agents=[offer],
        durability=durability.value,
        concurrency=concurrency,
        lease_seconds=lease_seconds,
    )

    async def work() -> None:
        told, lines = Told(), lines_of(as_json)
        serving = Serving(segue.host, lines.happened)
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, told.stop)
        with lines.shown(serving.tally):
            async with _leaving() as began, segue:
                began.set()
                lines.started(store, segue.host.engine.worker, offer.names, offer.consumers, concurrency)
                await serving.until_told(
                    told, grace_seconds, lambda: lines.draining(serving.tally, grace_seconds)
                )
            lines.stopped(serving.tally)

    asyncio.run(work())


def _offer(modules: list[str], names: list[str] | tuple[()]) -> Offer:
    """The agents of the modules, or those of them that were named. Raises UsageError, LoadError and GraphError."""
    from segue.app.loading import load_module
    from segue.app.offering import all_of

    offer = all_of([load_module(module.partition(":")[0]) for module in modules])
    if not (offer.names or offer.consumers):
        raise UsageError(
            f"there is no agent in {', '.join(modules)}", remedy="Decorate a function there with @agent."
        )
    return offer.only(names) if names else offer


@contextlib.asynccontextmanager
async def _leaving() -> AsyncIterator[asyncio.Event]:
    """
    End this process soon after the body, whatever runs on in it: the thread of a `def` agent cannot be stopped, the
    store would refuse its result, and Python would wait for it. Only if the body says that work has begun.
    """
    began = asyncio.Event()
    try:
        yield began
    except SegueError as error:
        if began.is_set():
            leave_soon(error.exit_code)
        raise
    leave_soon(0)
