"""What `segue show RUN TASK` and `segue effects` draw for people: one task, with all that it has left and remembers."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Group, RenderableType
from rich.text import Text

from segue.app.effects import StepView
from segue.app.views import HandoffView, TaskDetail
from segue.cli.output import block, plain, results, styled, table
from segue.cli.pictures import (
    MOST_ITEMS,
    error_picture,
    fact_line,
    fact_text,
    indented,
    moment,
    state_word,
    usage_in_words,
)
from segue.cli.waiting import paused_in_words, places_in_words, reader_in_words, waits_in_words
from segue.demo.words import counted
from segue.domain.measures import bytes_in_words, seconds_in_words

MOST_OUTPUT_LINES = 200


def task_picture(detail: TaskDetail) -> RenderableType:
    """One task: where it stands, what it was given, what it handed over, and why it failed."""
    task = detail.task
    head = Text.assemble((plain(task.task), "bold"), f"  {detail.run}  ", styled(task.state))
    parts: list[RenderableType] = [head]
    facts = [("agent", task.agent), ("attempt", f"{task.attempt} (epoch {task.epoch})" if task.epoch else "")]
    facts += [("worker", task.worker or "")]
    facts += [("claimed", "" if task.claimed_at is None else moment(task.claimed_at))]
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
            fact_line(
                "input", f"{plain(pin.task)}@{pin.version}  {state_word(pin.status)}  {pin.digest[:19]}…"
            )
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
        parts += [Text(), error_picture(task)]
    return Group(*parts)


def _step_line(step: StepView) -> Text:
    return Text.assemble(
        (f"{step.kind}: ", "dim"), f"{plain(step.name)}  ", styled(step.state), f"  {_result(step)}"
    )


def _result(step: StepView) -> str:
    if step.artifact is not None:
        return f"{step.artifact[:19]}…"
    return plain(fact_text(step.result)) if step.state == "done" else ""


def effects_table(effects: Sequence[StepView], width: int) -> RenderableType:
    """A line for each effect of a run."""
    rows = [
        (
            plain(effect.task),
            plain(effect.name),
            styled(effect.state),
            moment(effect.at),
            plain(effect.key),
            _result(effect),
        )
        for effect in effects
    ]
    return table(("task", "effect", "state", "since", "key", "result"), rows, "result", width)


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
    parts += [] if handoff.usage is None else [fact_line("used", _usage(handoff.usage))]
    return Group(*parts)


def output_text(output: object) -> str:
    """An output as JSON, cut on a screen if it is very long."""
    text = json.dumps(output, indent=2, ensure_ascii=False)
    lines = text.splitlines()
    if len(lines) > MOST_OUTPUT_LINES and results().isatty():
        more = len(lines) - MOST_OUTPUT_LINES
        text = "\n".join(
            [*lines[:MOST_OUTPUT_LINES], f"... and {counted(more, 'more line')}; --json prints all"]
        )
    return block(text)


def _usage(usage: Mapping[str, Any]) -> str:
    words = usage_in_words(*(usage.get(name) for name in ("input_tokens", "output_tokens", "cost")))
    return " · ".join(each for each in (words, plain(usage.get("model", ""))) if each)
