"""`segue chaos`: workers that are killed, stopped and lied to, on a disk of yours, and what held."""

from __future__ import annotations

import asyncio
import secrets
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from segue.cli.output import DebugOption, JsonOption, draw, err, guarded, out, plain, print_json, table
from segue.cli.run import Durability, DurabilityOption

if TYPE_CHECKING:
    from segue.testing.chaos.cell import Cell
    from segue.testing.chaos.storm import StormReport
    from segue.testing.chaos.verdict import Verdict

SHOWN_PROBLEMS = 5


@guarded
def chaos(
    seconds: Annotated[
        float, typer.Option(min=0.0, help="How long the storm lasts; 0 leaves it out.")
    ] = 30.0,
    workers: Annotated[int, typer.Option(min=2, help="Worker processes of the storm.")] = 8,
    tasks: Annotated[int, typer.Option(min=0, help="The least number of tasks of the storm.")] = 0,
    kill_every: Annotated[float, typer.Option(min=0.05, help="Seconds from one kill to the next.")] = 0.5,
    lease: Annotated[
        float, typer.Option(min=0.5, help="The lease of the storm's workers, in seconds.")
    ] = 2.0,
    matrix: Annotated[bool, typer.Option(help="Let each fault happen at both sides of every commit.")] = True,
    only: Annotated[str, typer.Option(metavar="TEXT", help="Only rows with this in their name.")] = "",
    jobs: Annotated[int, typer.Option(min=1, help="Rows at a time.")] = 2,
    seed: Annotated[
        int | None, typer.Option(help="Plays the same chance again; without it a new one.")
    ] = None,
    folder: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="Where the stores are made: the disk to be tried.")
    ] = None,
    durability: DurabilityOption = Durability.durable,
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """
    Kill workers anywhere, and see that nothing is lost.

    The stores are new ones, in FOLDER or a temporary folder, and are deleted when all is well.
    """
    from segue.errors import UsageError

    if folder is not None and not folder.is_dir():
        raise UsageError(
            f"{str(folder)!r} is not a folder", remedy="Make it, on the disk that is to be tried."
        )
    storms = seconds > 0 or tasks > 0
    if not matrix and only:
        raise UsageError("--only is about rows of the matrix", remedy="Leave out --no-matrix, or --only.")
    if not (matrix or storms):
        raise UsageError("nothing is left to try", remedy="Leave out --no-matrix, or --seconds 0.")
    chosen = secrets.randbelow(1_000_000) if seed is None else seed
    cells = asyncio.run(_matrix(only, durability.value, jobs, folder, as_json)) if matrix else []
    storm = None
    if storms:
        storm = asyncio.run(
            _storm(chosen, workers, tasks, seconds, kill_every, lease, durability.value, folder, as_json)
        )
    held = all(cell.held for cell in cells) and (storm is None or not any(storm.verdict.values()))
    if as_json:
        rows = [{**cell._asdict(), "held": cell.held} for cell in cells]
        print_json({"held": held, "seed": chosen, "matrix": rows, "storm": storm and storm._asdict()})
    else:
        _tell(cells, storm, chosen)
    if not held:
        raise typer.Exit(1)


async def _matrix(only: str, durability: str, jobs: int, folder: Path | None, quiet: bool) -> list[Cell]:
    from segue.errors import UsageError
    from segue.ports.clock import SystemClock
    from segue.testing.chaos.matrix import failpoints, run_matrix

    rows = [failpoint for failpoint in failpoints() if only in str(failpoint)]
    if not rows:
        raise UsageError(f"no row has {only!r} in its name", remedy="A row is called settle.before:kill:1.")
    cells = []
    async for cell in run_matrix(rows, durability, SystemClock(), jobs, folder):
        cells.append(cell)
        _progress(f"{len(cells)} of {len(rows)}: {cell.failpoint} {'held' if cell.held else 'FAILED'}", quiet)
    order = {str(failpoint): place for place, failpoint in enumerate(rows)}
    return sorted(cells, key=lambda cell: order[cell.failpoint])


async def _storm(
    seed: int,
    workers: int,
    tasks: int,
    seconds: float,
    kill_every: float,
    lease: float,
    durability: str,
    folder: Path | None,
    quiet: bool,
) -> StormReport:
    from segue.testing.chaos.storm import StormPlan, run_storm

    with tempfile.TemporaryDirectory(prefix="segue-chaos-", dir=folder) as place:
        plan = StormPlan(workers, tasks, seconds, kill_every, lease, durability, seed)
        return await run_storm(plan, Path(place), lambda line: _progress(line, quiet))


def _progress(line: str, quiet: bool) -> None:
    """Long work shows that it goes on, where somebody looks."""
    console = err()
    if console.is_terminal and not quiet:
        console.print(plain(line), soft_wrap=True, markup=False)


def _tell(cells: list[Cell], storm: StormReport | None, seed: int) -> None:
    from segue.testing.chaos.verdict import INVARIANTS

    console = out()
    if cells:
        columns = ("at", "fault", *INVARIANTS)
        draw(table(columns, [_row(cell, tuple(INVARIANTS)) for cell in cells], "at", console.width))
        console.print()
    for cell in cells:
        _tell_problems(cell.failpoint, cell.verdict)
        if cell.impossible is not None:
            console.print(f"{cell.failpoint}: {plain(cell.impossible)}", soft_wrap=True, markup=False)
        elif not cell.sprung:
            console.print(f"{cell.failpoint}: the fault never happened", soft_wrap=True, markup=False)
    if storm is not None:
        _tell_problems("storm", storm.verdict)
        console.print(
            f"storm: {storm.workers} workers, {storm.runs:,} runs, {storm.tasks:,} tasks in {storm.seconds} s, "
            f"{storm.kills} killed, {storm.stops} stopped (seed {seed}): "
            f"{'FAILED' if any(storm.verdict.values()) else 'everything held'}",
            soft_wrap=True,
            markup=False,
        )
    if cells:
        failed = sum(not cell.held for cell in cells)
        console.print(f"matrix: {len(cells)} faults, {failed or 'none'} of them did harm", markup=False)


def _row(cell: Cell, invariants: tuple[str, ...]) -> list[Any]:
    point, fault, _ = cell.failpoint.split(":")
    if cell.impossible is not None:
        return [point, fault, *("n/a" for _ in invariants)]
    return [point, fault, *("FAILED" if cell.verdict.get(name) else "held" for name in invariants)]


def _tell_problems(where: str, verdict: Verdict) -> None:
    from segue.testing.chaos.verdict import INVARIANTS

    console = out()
    for name, problems in verdict.items():
        if problems:
            console.print(f"{where}: not {name} ({INVARIANTS[name]}):", soft_wrap=True, markup=False)
        for problem in problems[:SHOWN_PROBLEMS]:
            console.print(f"  {plain(problem)}", soft_wrap=True, markup=False)
        if len(problems) > SHOWN_PROBLEMS:
            console.print(f"  and {len(problems) - SHOWN_PROBLEMS} more", soft_wrap=True, markup=False)
