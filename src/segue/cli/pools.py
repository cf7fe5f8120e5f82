"""`segue pools`: how large pools are, who holds places, who waits; and how they become larger."""

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
)

if TYPE_CHECKING:
    from segue.app.pools import PoolView


@guarded
def pools(
    name: Annotated[str | None, typer.Argument(metavar="NAME", help="Only this pool.")] = None,
    capacity: Annotated[
        int | None,
        typer.Argument(metavar="CAPACITY", help="How many places it has from now on; 0 takes it away."),
    ] = None,
    store: StoreOption = DEFAULT_STORE,
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """
    List pools, or say how many places one has.

    With how many places are held, and which tasks hold them or wait for some.
    """
    from segue.app.pools import read_pool_views
    from segue.cli.pictures import pools_table
    from segue.demo.words import counted
    from segue.errors import UsageError

    if name is not None and capacity is not None:
        pool, places = name, capacity
        within(store, lambda host: host.set_pool(pool, places), new_too=True)
        if as_json:
            print_json({"name": name, "capacity": capacity})
        else:
            has = f"has {counted(capacity, 'place')}" if capacity else "is taken away"
            out().print(f"{plain(name)} {has}")
        return
    found = within(store, lambda host: read_pool_views(host.store))
    if name is not None:
        found = tuple(pool for pool in found if pool.name == name)
        if not found:
            raise UsageError(f"there is no pool {name!r}", remedy=f"Make it: `segue pools {name} 1`.")
    if as_json:
        print_json(found)
    elif found:
        draw(pools_table(_lines(found), out().width))
    else:
        err().print("No pools.")


def _lines(pools: tuple[PoolView, ...]) -> list[tuple[str, str, str, str, str]]:
    """The cells of a table: a line for each pool, and below it one for each task that holds places or waits."""
    lines = []
    for pool in pools:
        lines.append((pool.name, str(pool.capacity), str(pool.held), str(pool.waiting), ""))
        lines += [("", "", str(each.places), "", f"{each.task} of {each.run} holds") for each in pool.holders]
        lines += [("", "", "", str(each.places), f"{each.task} of {each.run} waits") for each in pool.waiters]
    return lines
