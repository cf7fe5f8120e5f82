"""`ctx.step`: a part of an agent's work, such as a paid model call, whose result is remembered across attempts."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from segue.domain.envelope.waiting import Waitable
from segue.domain.running.steps import checked_name, draft, keep, result_schema
from segue.engine.abilities import results
from segue.engine.abilities.calling import Answer, Calling

if TYPE_CHECKING:
    from segue.engine.attempts.attempt import Running


def step_of(
    running: Running, name: str, fn: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]
) -> Waitable[Any]:
    """A step of a running attempt. Raises UsageError for what is no name, and for a result that cannot be kept."""
    notebook = running.notebook
    where = f"step {checked_name('step', name)!r} of {running.facts.task}"
    schema = result_schema(fn, where)

    async def recall() -> Answer | None:
        known = await notebook.recall("step", name)
        return None if known is None else Answer(results.load(await results.get(known), schema, where))

    async def remember(value: Any) -> Any:
        kept = keep(value, schema, where)
        await results.put(kept)
        await notebook.write(draft("step", name, kept=kept))
        return results.load(kept.data, schema, where)

    def forget() -> None:
        notebook.give_back(name)

    return Calling(where, recall, lambda: fn(*args, **kwargs), remember, forget, notebook.block)
