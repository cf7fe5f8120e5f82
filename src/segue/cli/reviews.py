"""What `segue review` draws for people."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.text import Text

from segue.app.views import ReviewView, WaitingReview
from segue.cli.output import block, plain, table
from segue.cli.pictures import ago, fact_line, indented, short_length
from segue.cli.task_picture import output_text
from segue.cli.waiting import until, waits_in_words, whom


def reviews_table(reviews: Sequence[ReviewView], now: float, width: int) -> RenderableType:
    """A line for each hand-off that waits."""
    length = short_length(list({view.run for view in reviews}))
    rows = [
        (
            view.run[:length],
            plain(view.task),
            ago(now - view.since),
            plain(f"{whom(view.by)}{until(view.until)}"),
            plain(view.summary),
        )
        for view in reviews
    ]
    return table(("run", "task", "since", "waits for", "summary"), rows, "summary", width)


def review_picture(view: ReviewView) -> RenderableType:
    """What is to be decided on, as people read it, and what has to be said of it."""
    head = Text.assemble((plain(view.task), "bold"), f"  {view.run}  version {view.version}")
    waiting = WaitingReview(view.task, view.by, view.until, view.then)
    facts = [
        ("workflow", plain(view.workflow)),
        ("agent", plain(view.agent)),
        ("waits for", waits_in_words(waiting)),
        ("summary", block(view.summary)),
        ("confidence", "" if view.confidence is None else f"{view.confidence:g}"),
        ("next step", "" if view.next_step is None else block(view.next_step)),
    ]
    parts: list[RenderableType] = [head]
    parts += [fact_line(name, value) for name, value in facts if value]
    parts += [fact_line("output", ""), Text(indented(_readable(view.output)))]
    parts += [fact_line("digest", view.digest)]
    return Group(*parts)


def _readable(output: object) -> str:
    """Text as it is; anything else as JSON."""
    return block(output) if isinstance(output, str) else output_text(output)
