"""`segue`: its commands and what they have in common."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from segue.cli.backup import backup, restore
from segue.cli.chaos import chaos
from segue.cli.consumers import consumers
from segue.cli.control import annotate, cancel, pause, reassign, retry
from segue.cli.demo import demo
from segue.cli.effects import effects, resolve
from segue.cli.look import events, graph, prune, runs, show
from segue.cli.output import EXIT_CODES, tell
from segue.cli.pools import pools
from segue.cli.review import review
from segue.cli.run import resume, run
from segue.cli.schemas import plan_deploy, schema
from segue.cli.worker import worker
from segue.errors import UsageError

EPILOG = "Exit codes:\n\n\b\n" + "\n".join(f"  {code:>3}  {meaning}" for code, meaning in EXIT_CODES)

GROUPS = (
    ("Run", ("run", "resume", "worker")),
    ("Look", ("runs", "show", "graph", "events", "effects")),
    ("Step in", ("pause", "cancel", "retry", "reassign", "annotate", "review", "resolve")),
    ("Share and react", ("pools", "consumers")),
    ("Deploy", ("schema", "plan-deploy")),
    ("Keep", ("prune", "backup", "restore")),
    ("See for yourself", ("demo", "chaos")),
)
"""The commands by what they are for, as the help shows them."""

_AS_JSON = "segue.as_json"


class GroupedCommands(TyperGroup):
    """The commands, shown by what they are for. What is typed wrong is told as JSON too, where that is asked for."""

    def make_context(self, info_name: Any, args: Any, *rest: Any, **extra: Any) -> Any:
        as_json = "--json" in args
        with _telling(as_json):
            context = super().make_context(info_name, args, *rest, **extra)
        context.meta[_AS_JSON] = as_json
        return context

    def invoke(self, ctx: Any) -> Any:
        with _telling(ctx.meta[_AS_JSON]):
            return super().invoke(ctx)

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        widest = max(map(len, self.commands))
        room = formatter.width - widest - 6
        for title, names in GROUPS:
            with formatter.section(title):
                formatter.write_dl(
                    [(name.ljust(widest), self.commands[name].get_short_help_str(room)) for name in names]
                )


@contextlib.contextmanager
def _telling(as_json: bool) -> Iterator[None]:
    try:
        yield
    except Exception as error:
        if not (as_json and hasattr(error, "format_message")):  # no mistake on the command line
            raise
        tell(UsageError(error.format_message()), as_json=True)
        raise typer.Exit(UsageError.exit_code) from None


app = typer.Typer(
    name="segue",
    cls=GroupedCommands,
    help="Durable hand-offs between agents: run workflows, watch them, look at what they left.",
    epilog=EPILOG,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    rich_markup_mode=None,
)

for command in (
    run, resume, worker, runs, show, graph, events, effects, pause, cancel, retry, reassign, annotate, review, resolve,
    pools, consumers, plan_deploy, prune, backup, restore, demo, chaos,
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
