"""Before a deployment: `segue schema check` holds code to a snapshot, `segue plan-deploy` to what is in flight."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from segue.cli.opening import within
from segue.cli.output import (
    DEFAULT_STORE,
    DebugOption,
    JsonOption,
    StoreOption,
    err,
    guarded,
    out,
    plain,
    print_json,
)

if TYPE_CHECKING:
    from segue.app.deploying import RunPlan
    from segue.app.host import Host
    from segue.app.offering import Offer
    from segue.domain.graph.code_schemas import CodeSchemas, Finding

CANNOT_CROSS = 3
DEFAULT_SNAPSHOT = "segue-schemas.json"

ModuleArgument = Annotated[str, typer.Argument(metavar="MODULE", help="The module that has the agents.")]

schema = typer.Typer(
    name="schema",
    help="Hold what agents take and give to what it was.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


@schema.command("check")
@guarded
def check(
    module: ModuleArgument,
    snapshot: Annotated[
        Path, typer.Option(metavar="FILE", help="The snapshot, which is committed with the code.")
    ] = Path(DEFAULT_SNAPSHOT),
    store: Annotated[
        str | None,
        typer.Option("--store", metavar="URL", help="Also look at what is in flight here."),
    ] = None,
    update: Annotated[
        bool, typer.Option("--update", help="Write the snapshot anew, if nothing must be mended.")
    ] = False,
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """
    Say what changed in the types that agents take and give.

    The exit code is 3 if a payload changed and its version did not, if a version goes backwards, or if what was written
    before could not be read any more and no upcaster helps.
    """
    from segue.app.deploying import plan_deployment, registered_findings
    from segue.domain.graph.code_schemas import findings, snapshot_from, snapshot_of
    from segue.errors import UsageError

    offer, code = _code(module)
    found: list[Finding] = []
    if snapshot.exists():
        found += findings(snapshot_from(snapshot.read_text("utf-8"), str(snapshot)), code)
    elif not update:
        err().print(f"There is no snapshot {plain(str(snapshot))} yet; --update makes it.")
    plans: list[RunPlan] = []
    if store is not None:

        async def ask(host: Host) -> tuple[list[Finding], list[RunPlan]]:
            return await registered_findings(host.store, code), await plan_deployment(host.store, offer, code)

        drifted, plans = within(store, ask)
        found += drifted
    stranded = [plan for plan in plans if plan.needs != "compatible"]
    fails = bool(stranded) or any(each.fails for each in found)
    if update and not fails:
        import json

        text = json.dumps(snapshot_of(code), indent=2, sort_keys=True, ensure_ascii=False)
        try:
            snapshot.write_text(text + "\n", "utf-8")
        except OSError as error:
            raise UsageError(
                f"the snapshot cannot be written: {error}", remedy="Give another place: --snapshot FILE"
            ) from error
    _tell_check(found, stranded, as_json=as_json, fails=fails)
    if fails:
        raise typer.Exit(CANNOT_CROSS)


@guarded
def plan_deploy(
    module: ModuleArgument,
    store: StoreOption = DEFAULT_STORE,
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """
    Say what a deployment means for runs in flight.

    Each is compatible, needs an upcaster or needs old workers, and why, by task. Nothing is changed. The exit code is 3
    if not all are compatible.
    """
    from segue.app.deploying import plan_deployment

    offer, code = _code(module)
    plans = within(store, lambda host: plan_deployment(host.store, offer, code))
    stranded = [plan for plan in plans if plan.needs != "compatible"]
    if as_json:
        print_json({"runs": [_plan_document(plan) for plan in plans], "compatible": not stranded})
    else:
        if not plans:
            err().print("No runs in flight.")
        _tell_plans(plans)
    if stranded:
        raise typer.Exit(CANNOT_CROSS)


def _code(module: str) -> tuple[Offer, CodeSchemas]:
    from segue.app.loading import load_module
    from segue.app.offering import all_of
    from segue.domain.graph.code_schemas import code_schemas

    offer = all_of([load_module(module)])
    return offer, code_schemas(offer.agents)


def _tell_check(found: Sequence[Finding], stranded: Sequence[RunPlan], *, as_json: bool, fails: bool) -> None:
    if as_json:
        told = [{**each._asdict(), "fails": each.fails} for each in found]
        print_json({"ok": not fails, "findings": told, "runs": [_plan_document(plan) for plan in stranded]})
        return
    for each in found:
        style = "bold red" if each.fails else "dim"
        out().print(plain(each.kind), style=style, end="  ")
        out().print(plain(each.message))
    _tell_plans(stranded)
    if not fails:
        out().print("Nothing must be mended.")


def _tell_plans(plans: Sequence[RunPlan]) -> None:
    styles = {"compatible": "green", "needs upcaster": "yellow", "needs old workers": "bold red"}
    for plan in plans:
        out().print(plain(f"{plan.run}  {plan.workflow}"), end="  ")
        out().print(plain(plan.needs), style=styles[plan.needs])
        for trouble in plan.troubles:
            out().print(plain(f"  {trouble.task}: {trouble.needs}: {trouble.reason}"))


def _plan_document(plan: RunPlan) -> dict[str, Any]:
    return {
        "run": plan.run,
        "workflow": plan.workflow,
        "needs": plan.needs,
        "tasks": [trouble._asdict() for trouble in plan.troubles],
    }
