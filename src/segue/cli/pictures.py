"""What `segue runs` and `segue show RUN` draw for people, and what other pictures are put together from."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime

from rich.console import Group, RenderableType
from rich.text import Text

from segue.app.spending import SpendingView
from segue.app.views import PauseView, RunSummary, RunView, TaskView
from segue.app.working import Span, Totals
from segue.cli.live import totals_line
from segue.cli.output import SHORT_ID_CHARACTERS, block, plain, styled, table
from segue.cli.waiting import paused_in_words, waits_in_words, waits_of
from segue.demo.words import counted
from segue.domain.graph.drawing.document import draw_json
from segue.domain.graph.drawing.dot import draw_dot
from segue.domain.graph.drawing.mermaid import draw_mermaid
from segue.domain.graph.drawing.text import draw_text
from segue.domain.measures import bytes_in_words, seconds_in_words
from segue.errors import UsageError

MOST_ITEMS = 12
"""Items of a mapped node that are shown one by one; beyond, those that are well are counted."""

MOST_TRACEBACKS = 3

Attempt = tuple[str, int]
"""A task and its epoch."""


def runs_table(runs: Sequence[RunSummary], now: float, width: int) -> RenderableType:
    """A line for each run."""
    length = short_length([run.run for run in runs])
    anybody_waited_for = any(run.waits_for or run.pauses for run in runs)
    rows = [
        (
            run.run[:length],
            plain(run.workflow),
            styled(_state_of(run.state, run.pauses)),
            ago(now - run.submitted_at),
            seconds_in_words((run.ended_at or now) - run.submitted_at),
            _tasks_in_words(run.tasks),
            bytes_in_words(run.handoff_bytes),
            *((_waits_for(run),) if anybody_waited_for else ()),
        )
        for run in runs
    ]
    columns = ("run", "workflow", "state", "started", ">took", "tasks", ">bytes")
    return table((*columns, "waits for") if anybody_waited_for else columns, rows, "tasks", width)


def _waits_for(run: RunSummary) -> str:
    """The first of what waits for people, and how many more there are."""
    words = [f"{plain(each.task)}: {waits_in_words(each)}" for each in run.waits_for]
    words += [
        f"{plain(each.task) + ': ' if each.task else ''}paused {paused_in_words(each)}" for each in run.pauses
    ]
    more = f" and {len(words) - 1} more" if len(words) > 1 else ""
    return f"{words[0]}{more}" if words else ""


def _state_of(state: str, pauses: Sequence[PauseView]) -> str:
    """The word for the state of a run: one that could run and is paused as a whole says that."""
    return "paused" if state == "running" and any(each.task is None for each in pauses) else state


def short_length(ids: Sequence[str]) -> int:
    """How much of each id tells them apart."""
    longest = max(map(len, ids))
    lengths = range(SHORT_ID_CHARACTERS, longest + 1)
    return next((length for length in lengths if len({each[:length] for each in ids}) == len(ids)), longest)


def ago(seconds: float) -> str:
    """How long ago something was."""
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds // size:.0f} {unit} ago"
    return f"{max(seconds, 0.0):.0f} s ago"


def _tasks_in_words(tasks: dict[str, int]) -> str:
    order = (
        "complete",
        "claimed",
        "ready",
        "paused",
        "needs_review",
        "in_doubt",
        "failed",
        "dead",
        "skipped",
        "waiting",
        "cancelled",
    )
    return ", ".join(f"{tasks[state]} {state_word(state)}" for state in order if tasks.get(state))


def state_word(state: str) -> str:
    """A state as people say it."""
    return "running" if state == "claimed" else state.replace("_", " ")


def drawer(form: str) -> Callable[..., str]:
    """The function that draws a graph in a form. Raises UsageError if there is none."""
    forms = {"text": draw_text, "mermaid": draw_mermaid, "dot": draw_dot, "json": draw_json}
    if form not in forms:
        raise UsageError(f"there is no format {form!r}", remedy=f"There are {', '.join(forms)}.")
    return forms[form]


def run_picture(view: RunView, width: int) -> RenderableType:
    """A run with its tasks, and why those that failed did."""
    head = Text.assemble(
        (plain(view.workflow), "bold"),
        f"  {view.run}  ",
        styled(_state_of(view.state, view.pauses)),
        f"  {moment(view.submitted_at)}",
    )
    facts = [("input", plain(json.dumps(view.input, ensure_ascii=False)))]
    facts += [("key", plain(view.key))] if view.key is not None else []
    facts += [
        (name, plain(fact_text(value)))
        for name, value in view.options.items()
        if name not in ("trace", "caps")
    ]
    parts: list[RenderableType] = [head]
    parts += [
        Text.assemble((f"{name}: ", "dim"), value, overflow="ellipsis", no_wrap=True) for name, value in facts
    ]
    parts += [Text(), _tasks_table(view.tasks, view.spans, width), Text(), totals_line(view.totals)]
    parts += [fact_line(f"{plain(task)} waits for", words) for task, words in waits_of(view)]
    parts += _usage_lines(view.totals) + _spending_lines(view.spending)
    parts += [fact_line(f"{plain(each.task or 'run')} paused", paused_in_words(each)) for each in view.pauses]
    broken = [
        task
        for task in view.tasks
        if task.error is not None
        and task.state in ("failed", "dead", "in_doubt", "cancelled", "ready", "claimed")
    ]
    for task in broken[:MOST_TRACEBACKS]:
        parts += [Text(), error_picture(task)]
    if len(broken) > MOST_TRACEBACKS:
        more = ", ".join(task.task for task in broken[MOST_TRACEBACKS : MOST_TRACEBACKS + 10])
        parts.append(
            Text(f"\nand {len(broken) - MOST_TRACEBACKS} more with errors: {more}; segue show RUN TASK")
        )
    return Group(*parts)


def _usage_lines(totals: Totals) -> list[RenderableType]:
    """What models took, as far as the hand-offs say."""
    words = usage_in_words(totals.input_tokens, totals.output_tokens, totals.cost)
    return [fact_line("used", words)] if words else []


def usage_in_words(input_tokens: int | None, output_tokens: int | None, cost: float | None) -> str:
    """`1,200 input tokens · 80 output tokens · 0.0021 US dollars`, as far as it is known."""
    words = [] if input_tokens is None else [counted(input_tokens, "input token")]
    words += [] if output_tokens is None else [counted(output_tokens, "output token")]
    words += [] if cost is None else [f"{cost:,.6g} US dollars"]
    return " · ".join(words)


def _spending_lines(spending: Sequence[SpendingView]) -> list[RenderableType]:
    """What is gone of each budget: a line for the run, and one for each share, the first of them."""
    accounts: dict[str | None, list[str]] = {}
    for each in spending:
        words = f"{each.spent:,g} of {each.cap:,g} {each.unit}"
        words += f", {each.reserved:,g} reserved" if each.reserved else ""
        accounts.setdefault(each.account, []).append(words)
    lines: list[RenderableType] = [
        fact_line("spent" if account is None else f"spent by {plain(account)}", " · ".join(units))
        for account, units in accounts.items()
    ]
    if len(lines) > MOST_ITEMS:
        lines[MOST_ITEMS:] = [fact_line("spent", f"and {len(lines) - MOST_ITEMS} more; --json has all")]
    return lines


def fact_text(value: object) -> str:
    """A value as it stands behind its name."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def moment(at: float) -> str:
    """A time of the wall clock, here."""
    return f"{datetime.fromtimestamp(at).astimezone():%Y-%m-%d %H:%M:%S}"


def _tasks_table(tasks: Sequence[TaskView], spans: Sequence[Span], width: int) -> RenderableType:
    first_agents = {span.task: span.agent for span in reversed(spans)}
    worked: dict[Attempt, float] = defaultdict(float)
    for span in spans:
        worked[span.task, span.epoch] += span.completed_at - span.started_at
    items = Counter(task.node for task in tasks if task.item is not None)
    groups: dict[str, list[TaskView]] = {}
    for task in tasks:
        many = items[task.node] > MOST_ITEMS
        if many and task.state == "expanded":
            continue
        fold = many and task.item is not None and task.state in {"complete", "ready", "paused", "skipped"}
        groups.setdefault(f"{task.node} {task.state}" if fold else task.task, []).append(task)
    rows = [
        _task_row(group[0], first_agents, worked) if len(group) == 1 else _folded_row(group, worked)
        for group in groups.values()
    ]
    return table(("task", "state", ">try", ">time", ">bytes", "summary"), rows, "summary", width)


def _task_row(
    task: TaskView, first_agents: Mapping[str, str], worked: Mapping[Attempt, float]
) -> tuple[str | Text, ...]:
    """
    A task; one that another agent has than began it (handed on, a fallback, reassigned) with that agent. Its time is
    what its last attempt has worked, without what it waited in the middle.
    """
    handoff = task.handoff
    passed = "" if first_agents.get(task.task, task.agent) == task.agent else f" → {task.agent}"
    seconds = worked.get((task.task, task.epoch))
    return (
        plain(task.task + passed),
        styled("running" if task.state == "claimed" else task.state),
        str(task.attempt) if task.attempt else "",
        "" if seconds is None else seconds_in_words(seconds),
        "" if handoff is None else bytes_in_words(handoff.size_bytes),
        _summary(task),
    )


def _folded_row(tasks: Sequence[TaskView], worked: Mapping[Attempt, float]) -> tuple[str | Text, ...]:
    seconds = sum(worked.get((task.task, task.epoch), 0.0) for task in tasks)
    size = sum(task.handoff.size_bytes for task in tasks if task.handoff is not None)
    items = f"{plain(tasks[0].node)}[…]"
    return (
        items,
        styled(tasks[0].state),
        "",
        seconds_in_words(seconds),
        bytes_in_words(size),
        Text(f"{counted(len(tasks), 'item')}, times added up", style="dim"),
    )


def _summary(task: TaskView) -> Text:
    if task.state == "expanded":
        return Text("mapped over the items below", style="dim")
    if task.error is not None and task.state != "complete":
        return Text(
            plain(f"{task.error.kind}: {task.error.message}"),
            style="red" if task.state in ("failed", "dead", "in_doubt") else "dim",
        )
    if task.handoff is None:
        return Text()
    sure = "" if task.handoff.confidence is None else f"({task.handoff.confidence:.0%} sure) "
    return Text(plain(sure + task.handoff.summary), style="dim" if task.handoff.summary_derived else "")


def error_picture(task: TaskView) -> RenderableType:
    """Why a task failed, with its traceback."""
    assert task.error is not None
    head = Text.assemble(
        (f"{plain(task.task)}: ", "bold red"), block(f"{task.error.kind}: {task.error.message}")
    )
    if task.error.traceback is None:
        return head
    return Group(head, Text(indented(block(task.error.traceback.rstrip())), style="dim"))


def indented(text: str) -> str:
    """Text two places to the right."""
    return "\n".join(f"  {line}" for line in text.split("\n"))


def fact_line(name: str, value: str) -> Text:
    """A name and what is so."""
    return Text.assemble((f"{name}: ", "dim"), value)


def pools_table(lines: Sequence[Sequence[str]], width: int) -> RenderableType:
    """A line for each pool, and one for each task that holds places or waits for some."""
    rows = [tuple(plain(cell) for cell in line) for line in lines]
    return table(("pool", ">capacity", ">held", ">waiting", "task"), rows, "task", width)
