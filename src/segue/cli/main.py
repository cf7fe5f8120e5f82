"""`segue`: its commands and what they have in common."""

from __future__ import annotations

from typing import Annotated

import typer

from segue.cli.backup import backup, restore
from segue.cli.chaos import chaos
from segue.cli.consumers import consumers
from segue.cli.control import annotate, cancel, pause, reassign, retry
from segue.cli.demo import demo
from segue.cli.effects import effects, resolve
from segue.cli.look import events, graph, prune, runs, show
from segue.cli.output import EXIT_CODES
from segue.cli.pools import pools
from segue.cli.review import review
from segue.cli.run import resume, run
from segue.cli.schemas import plan_deploy, schema
from segue.cli.worker import worker

EPILOG = "Exit codes:\n\n\b\n" + "\n".join(f"  {code:>3}  {meaning}" for code, meaning in EXIT_CODES)

app = typer.Typer(
    name="segue",
    help="Durable hand-offs between agents: run workflows, watch them, look at what they left.",
    epilog=EPILOG,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    rich_markup_mode=None,
)

for command in (
    run, resume, worker, pause, cancel, retry, reassign, annotate, review, resolve, runs, show, effects, pools,
    consumers, graph, events, plan_deploy, prune, backup, restore, demo, chaos,
):  # fmt: skip
    app.command()(command)
app.add_typer(schema, name="schema")


def _print_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        print(f"segue {version('segue')}")
        raise typer.Exit


@app.callback()
def _segue(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit."),
    ] = False,
) -> None:
    pass


def main() -> None:
    """The entry point of the `segue` script."""
    app()
