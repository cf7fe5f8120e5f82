"""What `segue runs`, `show` and `events` draw for people."""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.text import Text

from segue.app.effects import StepView
from segue.app.spending import SpendingView
from segue.app.views import HandoffView, PauseView, RunSummary, RunView, TaskDetail, TaskView
from segue.app.working import Span
from segue.cli.live import totals_line
from segue.cli.output import SHORT_ID_CHARACTERS, STATE_STYLES, block, plain, styled, table
from segue.cli.waiting import paused_in_words, places_in_words, reader_in_words, waits_in_words, waits_of
from segue.demo.words import bytes_in_words, counted, seconds_in_words
from segue.domain.envelope.stored import data_of
from segue.domain.graph.drawing.document import draw_json
from segue.domain.graph.drawing.dot import draw_dot
from segue.domain.graph.drawing.mermaid import draw_mermaid
from segue.domain.graph.drawing.text import draw_text
from segue.domain.rows import Event
from segue.errors import UsageError

MOST_ITEMS = 12
"""Items of a mapped node that are shown one by one; beyond, those that are well are counted."""

MOST_TRACEBACKS = 3
MOST_OUTPUT_LINES = 200


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
    return ", ".join(f"{tasks[state]} {_word(state)}" for state in order if tasks.get(state))


def _word(state: str) -> str:
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
        f"  {_moment(view.submitted_at)}",
    )
    facts = [("input", plain(json.dumps(view.input, ensure_ascii=False)))]
    facts += [("key", plain(view.key))] if view.key is not None else []
    facts += [
        (name, plain(_fact(value))) for name, value in view.options.items() if name not in ("trace", "caps")
    ]
    parts: list[RenderableType] = [head]
    parts += [
        Text.assemble((f"{name}: ", "dim"), value, overflow="ellipsis", no_wrap=True) for name, value in facts
    ]
    parts += [Text(), _tasks_table(view.tasks, view.spans, width), Text(), totals_line(view.totals)]
    parts += [fact_line(f"{plain(task)} waits for", words) for task, words in waits_of(view)]
    parts += _spending_lines(view.spending)
    parts += [fact_line(f"{plain(each.task or 'run')} paused", paused_in_words(each)) for each in view.pauses]
    broken = [
        task
        for task in view.tasks
        if task.error is not None
        and task.state in ("failed", "dead", "in_doubt", "cancelled", "ready", "claimed")
    ]
    for task in broken[:MOST_TRACEBACKS]:
        parts += [Text(), _error_picture(task)]
    if len(broken) > MOST_TRACEBACKS:
        more = ", ".join(task.task for task in broken[MOST_TRACEBACKS : MOST_TRACEBACKS + 10])
        parts.append(
            Text(f"\nand {len(broken) - MOST_TRACEBACKS} more with errors: {more}; segue show RUN TASK")
        )
    return Group(*parts)


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


def _fact(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _moment(at: float) -> str:
    return f"{datetime.fromtimestamp(at).astimezone():%Y-%m-%d %H:%M:%S}"


def _tasks_table(tasks: Sequence[TaskView], spans: Sequence[Span], width: int) -> RenderableType:
    first_agents = {span.task: span.agent for span in reversed(spans)}
    items = Counter(task.node for task in tasks if task.item is not None)
    groups: dict[str, list[TaskView]] = {}
    for task in tasks:
        many = items[task.node] > MOST_ITEMS
        if many and task.state == "expanded":
            continue
        fold = many and task.item is not None and task.state in {"complete", "ready", "paused", "skipped"}
        groups.setdefault(f"{task.node} {task.state}" if fold else task.task, []).append(task)
    rows = [
        _task_row(group[0], first_agents) if len(group) == 1 else _folded_row(group)
        for group in groups.values()
    ]
    return table(("task", "state", ">try", ">time", ">bytes", "summary"), rows, "summary", width)


def _task_row(task: TaskView, first_agents: Mapping[str, str]) -> tuple[str | Text, ...]:
    """A task; one that another agent has than began it (handed on, a fallback, reassigned) with that agent."""
    handoff = task.handoff
    passed = "" if first_agents.get(task.task, task.agent) == task.agent else f" → {task.agent}"
    seconds = _task_seconds(task)
    return (
        plain(task.task + passed),
        styled("running" if task.state == "claimed" else task.state),
        str(task.attempt) if task.attempt else "",
        "" if seconds is None else seconds_in_words(seconds),
        "" if handoff is None else bytes_in_words(handoff.size_bytes),
        _summary(task),
    )


def _folded_row(tasks: Sequence[TaskView]) -> tuple[str | Text, ...]:
    seconds = sum(_task_seconds(task) or 0.0 for task in tasks)
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


def _task_seconds(task: TaskView) -> float | None:
    if task.handoff is not None:
        return max(task.handoff.completed_at - task.handoff.started_at, 0.0)
    return None


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


def _error_picture(task: TaskView) -> RenderableType:
    assert task.error is not None
    head = Text.assemble(
        (f"{plain(task.task)}: ", "bold red"), block(f"{task.error.kind}: {task.error.message}")
    )
    if task.error.traceback is None:
        return head
    return Group(head, Text(indented(block(task.error.traceback.rstrip())), style="dim"))


def task_picture(detail: TaskDetail) -> RenderableType:
    """One task: where it stands, what it was given, what it handed over, and why it failed."""
    task = detail.task
    head = Text.assemble((plain(task.task), "bold"), f"  {detail.run}  ", styled(task.state))
    parts: list[RenderableType] = [head]
    facts = [("agent", task.agent), ("attempt", f"{task.attempt} (epoch {task.epoch})" if task.epoch else "")]
    facts += [("worker", task.worker or "")]
    facts += [("claimed", "" if task.claimed_at is None else _moment(task.claimed_at))]
    parts += [fact_line(name, plain(value)) for name, value in facts if value]
    parts += [] if task.review is None else [fact_line("waits for", waits_in_words(task.review))]
    if task.requires is not None and task.state == "ready":
        parts.append(fact_line("waits for", reader_in_words(task.requires)))
    if detail.wanted_places:
        parts.append(fact_line("waits for", places_in_words(detail.wanted_places)))
    for pause in detail.pauses:
        parts.append(fact_line("paused" if pause.task else "run paused", paused_in_words(pause)))
    for pin in task.inputs[:MOST_ITEMS]:
        parts.append(
            fact_line("input", f"{plain(pin.task)}@{pin.version}  {_word(pin.status)}  {pin.digest[:19]}…")
        )
    if len(task.inputs) > MOST_ITEMS:
        parts.append(fact_line("input", f"and {len(task.inputs) - MOST_ITEMS} more; --json has all"))
    parts += [_step_line(step) for step in detail.steps[:MOST_ITEMS]]
    if len(detail.steps) > MOST_ITEMS:
        parts.append(fact_line("step", f"and {len(detail.steps) - MOST_ITEMS} more; --json has all"))
    for version in detail.versions:
        parts += [Text(), _handoff_picture(version)]
    if detail.output is not None:
        parts += [fact_line("output", ""), Text(indented(output_text(detail.output)))]
    if task.error is not None and task.state != "complete":
        parts += [Text(), _error_picture(task)]
    return Group(*parts)


def indented(text: str) -> str:
    """Text two places to the right."""
    return "\n".join(f"  {line}" for line in text.split("\n"))


def fact_line(name: str, value: str) -> Text:
    """A name and what is so."""
    return Text.assemble((f"{name}: ", "dim"), value)


def _step_line(step: StepView) -> Text:
    return Text.assemble(
        (f"{step.kind}: ", "dim"), f"{plain(step.name)}  ", styled(step.state), f"  {_result(step)}"
    )


def _result(step: StepView) -> str:
    if step.artifact is not None:
        return f"{step.artifact[:19]}…"
    return plain(_fact(step.result)) if step.state == "done" else ""


def effects_table(effects: Sequence[StepView], width: int) -> RenderableType:
    """A line for each effect of a run."""
    rows = [
        (
            plain(effect.task),
            plain(effect.name),
            styled(effect.state),
            _moment(effect.at),
            plain(effect.key),
            _result(effect),
        )
        for effect in effects
    ]
    return table(("task", "effect", "state", "since", "key", "result"), rows, "result", width)


def pools_table(lines: Sequence[Sequence[str]], width: int) -> RenderableType:
    """A line for each pool, and one for each task that holds places or waits for some."""
    rows = [tuple(plain(cell) for cell in line) for line in lines]
    return table(("pool", ">capacity", ">held", ">waiting", "task"), rows, "task", width)


def _handoff_picture(handoff: HandoffView) -> RenderableType:
    seconds = max(handoff.completed_at - handoff.started_at, 0.0)
    size = bytes_in_words(handoff.size_bytes)
    parts = [
        Text.assemble(
            (f"hand-off, version {handoff.version}", "bold"),
            "  ",
            styled(handoff.status),
            f"  {seconds_in_words(seconds)}  {size}  {handoff.digest[:19]}…",
        ),
        fact_line("summary (derived)" if handoff.summary_derived else "summary", block(handoff.summary)),
    ]
    if handoff.confidence is not None:
        parts.append(fact_line("confidence", f"{handoff.confidence:g}"))
    parts += [fact_line("decision", block(decision)) for decision in handoff.decisions]
    parts += [fact_line("constraint", block(constraint)) for constraint in handoff.constraints]
    if handoff.next_step is not None:
        parts.append(fact_line("next step", block(handoff.next_step)))
    parts += [fact_line("artifact", digest) for digest in handoff.artifacts]
    return Group(*parts)


def output_text(output: object) -> str:
    """An output as JSON, cut on a screen if it is very long."""
    text = json.dumps(output, indent=2, ensure_ascii=False)
    lines = text.splitlines()
    if len(lines) > MOST_OUTPUT_LINES and sys.stdout.isatty():
        more = len(lines) - MOST_OUTPUT_LINES
        text = "\n".join(
            [*lines[:MOST_OUTPUT_LINES], f"... and {counted(more, 'more line')}; --json prints all"]
        )
    return block(text)


def print_event(console: Console, event: Event, *, with_run: bool) -> None:
    """One event on one line, as soon as it is known."""
    at = datetime.fromtimestamp(event.at).astimezone()
    line = Text.assemble(
        (f"{at:%H:%M:%S}.{at.microsecond // 1000:03d}", "dim"),
        (f"  {event.run}" if with_run else ""),
        f" {event.sequence:>5}  ",
        (plain(event.name), STATE_STYLES.get(event.name.rpartition(".")[2], "")),
    )
    if event.task is not None and event.task.endswith("]"):
        line.append(f"  {plain(event.task)}")
    if event.epoch is not None and event.epoch > 1:
        line.append(f"  epoch {event.epoch}")
    if event.data is not None:
        line.append(f"  {_data_in_words(data_of(event))}", style="dim")
    console.print(line, soft_wrap=True)


def event_document(event: Event) -> dict[str, Any]:
    """An event as `--json` prints it."""
    return {**event._asdict(), "data": data_of(event)}


def _data_in_words(data: dict[str, Any]) -> str:
    rest = {key: value for key, value in data.items() if key != "traceback" and value not in (None, "")}
    told = ""
    if "kind" in rest and "message" in rest:
        told = f"{rest.pop('kind')}: {rest.pop('message')}  "
    return plain(told + ", ".join(f"{key}: {_fact(value)}" for key, value in rest.items())).rstrip()
