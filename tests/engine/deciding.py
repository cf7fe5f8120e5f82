"""A person who decides on what the store shows."""

from segue import Segue


async def decide(segue: Segue, run: str, task: str, *, approve: bool, by: str, note: str = "") -> None:
    """Look at what waits of a task, and decide on exactly that."""
    (shown,) = [each for each in await segue.reviews(run) if each.task == task]
    await segue.review(run, task, digest=shown.digest, approve=approve, by=by, note=note)
