"""What agents did outside: `segue effects`, and a person's word on what nobody knows: `segue resolve`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from segue.cli.opening import RunArgument, within
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
from segue.cli.persons import ByOption, person_named

if TYPE_CHECKING:
    from segue.app.effects import StepView
    from segue.app.host import Host
    from segue.domain.running.steps import DidNotHappen, Happened


@guarded
def effects(
    run: RunArgument,
    store: StoreOption = DEFAULT_STORE,
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """
    List what the agents of a run did outside.

    Their effects, with what is on record of each. One that is in doubt was begun, and nobody has said whether it
    happened: `segue resolve`.
    """
    from segue.app.effects import read_effects
    from segue.app.reading import find_run
    from segue.cli.task_picture import effects_table

    async def ask(host: Host) -> tuple[StepView, ...]:
        return await read_effects(host.store, (await find_run(host.store, run)).run)

    found = within(store, ask)
    if as_json:
        print_json(found)
    elif found:
        draw(effects_table(found, out().width))
    else:
        err().print("No effects.")


@guarded
def resolve(
    run: RunArgument,
    task: Annotated[
        str, typer.Argument(metavar="TASK", help="The task that is in doubt, such as `pay` or `pay[3]`.")
    ],
    effect: Annotated[
        str, typer.Argument(metavar="EFFECT", help="The effect; `segue effects RUN` lists them.")
    ],
    happened: Annotated[
        str | None,
        typer.Option(metavar="JSON", help="It happened, with this result; `null` if there is none."),
    ] = None,
    did_not_happen: Annotated[
        bool, typer.Option("--did-not-happen", help="It did not happen: the task tries it again.")
    ] = False,
    by: ByOption = None,
    note: Annotated[str, typer.Option(metavar="TEXT", help="How you know, for the record.")] = "",
    store: StoreOption = DEFAULT_STORE,
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """
    Say whether an effect in doubt happened.

    The task goes on where its agents are: `segue resume`.
    """
    from segue.app.reading import find_run

    outcome = _outcome(happened, did_not_happen)
    person = person_named(by)

    async def tell(host: Host) -> str:
        record = await find_run(host.store, run)
        await host.resolve(record.run, task, effect, outcome, by=person, note=note)
        return record.run

    resolved = within(store, tell)
    if as_json:
        told = {"run": resolved, "task": task, "effect": effect, "happened": not did_not_happen, "by": person}
        print_json(told)
    else:
        verb = "did not happen" if did_not_happen else "happened"
        out().print(f"{plain(effect)} of {plain(task)} {verb}, says {plain(person)}")


def _outcome(happened: str | None, did_not_happen: bool) -> Happened | DidNotHappen:
    from segue.cli.inputs import json_value
    from segue.domain.running.steps import DidNotHappen, Happened
    from segue.errors import UsageError

    if (happened is not None) == did_not_happen:
        raise UsageError(
            "an effect happened or it did not",
            remedy="Give one of the two: --happened JSON (null if there is no result), or --did-not-happen.",
        )
    return DidNotHappen() if happened is None else Happened(json_value(happened, "--happened"))
