"""What a submission is made of: the request, the input as JSON, the pinned graph."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, NamedTuple, get_args

from segue.domain.envelope.payload import digest_of
from segue.domain.envelope.schema import schema_of
from segue.domain.graph.graph import graph_to_json
from segue.domain.graph.workflow import Built
from segue.domain.records import Amounts, PayloadRecord
from segue.domain.running.plan import Plan, compile_plan
from segue.domain.settings.agent_settings import RunSettings, optional_count, refuse_others
from segue.domain.settings.budgets import budgets_of
from segue.domain.settings.durations import named_seconds
from segue.domain.settings.options import OnDeadlock, RunOptions
from segue.domain.settings.spending import amounts_in
from segue.domain.settings.texts import GOAL_CHARACTERS, KEY_CHARACTERS, checked_text, checked_texts
from segue.errors import InputError, PayloadError, UsageError

_TRACEPARENT = re.compile("[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}")


class RunRequest(NamedTuple):
    """The options of a submission."""

    key: str | None = None
    options: RunOptions = RunOptions()


class Pinned(NamedTuple):
    """A built workflow in the form that a run pins."""

    built: Built
    plan: Plan
    graph: str
    digest: str
    schemas: tuple[tuple[str, str], ...]
    payloads: tuple[PayloadRecord, ...]


def pin(built: Built) -> Pinned:
    """The pinned form of a built workflow."""
    graph = graph_to_json(built.graph)
    schemas = built.schemas | {each.fingerprint: each.text for each in built.payloads}
    payloads = tuple(PayloadRecord(each.name, each.version, each.fingerprint) for each in built.payloads)
    return Pinned(
        built, compile_plan(built.graph), graph, digest_of(graph.encode()), tuple(schemas.items()), payloads
    )


def request_of(
    key: str | None,
    goal: str | None,
    constraints: Iterable[str],
    deadline: datetime | float | str | None,
    trace: Any,
    wall_now: float,
    module: str | None = None,
    bounds: RunSettings | None = None,
    on_deadlock: OnDeadlock = "break",
) -> RunRequest:
    """Check the options of a submission. Raises UsageError."""
    if key is not None:
        checked_text("the key of a run", key, KEY_CHARACTERS)
    if goal is not None:
        checked_text("the goal of a run", goal, GOAL_CHARACTERS)
    if trace is not None and not (isinstance(trace, str) and _TRACEPARENT.fullmatch(trace)):
        raise UsageError(
            f"the trace {trace!r} is no W3C traceparent",
            remedy='It looks like "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01".',
        )
    if on_deadlock not in get_args(OnDeadlock):
        choices = " or ".join(map(repr, get_args(OnDeadlock)))
        raise UsageError(f"on_deadlock={on_deadlock!r} is not known", remedy=f"Use {choices}.")
    given = bounds or {}
    refuse_others(
        given,
        ("key", "goal", "constraints", "deadline", "trace", "on_deadlock", *RunSettings.__annotations__),
    )
    options = RunOptions(
        goal=goal,
        constraints=checked_texts("constraints", constraints, GOAL_CHARACTERS),
        deadline=_deadline(deadline, wall_now),
        trace=trace,
        module=module,
        budgets=budgets_of(given),
        hops=optional_count(given, "hops"),
        laps=optional_count(given, "laps"),
        on_deadlock=on_deadlock,
        caps=_caps(given),
    )
    return RunRequest(key, options)


def _caps(given: RunSettings) -> Amounts:
    budget = given.get("budget")
    return () if budget is None else amounts_in(budget)


def _deadline(deadline: datetime | float | str | None, wall_now: float) -> float | None:
    if deadline is None:
        return None
    if isinstance(deadline, datetime):
        if deadline.tzinfo is None:
            raise UsageError(
                f"the deadline {deadline.isoformat()} has no time zone",
                remedy='Use datetime.now(UTC) + timedelta(...), or say how long: deadline="2m".',
            )
        at = deadline.timestamp()
    else:
        at = wall_now + named_seconds("deadline", deadline)
    if at <= wall_now:
        raise UsageError("the deadline has passed already", remedy="Give a later one.")
    return at


def input_documents(built: Built, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> dict[str, bytes]:
    """The input of a run, each parameter as JSON. Raises InputError naming the parameter."""
    name = built.graph.workflow
    parameters = {parameter.name: parameter for parameter in built.inputs}
    if len(args) > len(parameters):
        most = f"{len(parameters)} argument{'' if len(parameters) == 1 else 's'}"
        raise InputError(
            f"workflow {name!r} takes {most} and got {len(args)}",
            remedy=f"It takes: {', '.join(parameters) or 'nothing'}.",
        )
    given: dict[str, Any] = dict(zip(parameters, args, strict=False))
    for key, value in kwargs.items():
        if key not in parameters or key in given:
            what = "twice" if key in given else "but has no such parameter"
            raise InputError(
                f"workflow {name!r} got {key!r} {what}",
                remedy=f"It takes: {', '.join(parameters) or 'nothing'}.",
            )
        given[key] = value
    documents = {}
    for key, parameter in parameters.items():
        if key not in given:
            if parameter.required:
                raise InputError(
                    f"workflow {name!r} needs {key!r}",
                    remedy="Pass it to the workflow, in a shell with --input.",
                )
            given[key] = parameter.default
        try:
            documents[key] = schema_of(parameter.annotation).dump(
                given[key], where=f"input {key!r} of {name!r}"
            )
        except PayloadError as error:
            raise InputError(error.message, remedy=error.remedy) from error
    return documents


def input_text(documents: Mapping[str, bytes]) -> str:
    """The input of a run as one JSON document."""
    return "{" + ",".join(f'"{name}":{document.decode()}' for name, document in documents.items()) + "}"


def run_options(options: RunOptions, documents: Mapping[str, bytes], run_hex: str) -> RunOptions:
    """
    The options of a run with what follows from its input: an input called `goal` is the original goal if it is a text.

    Without a trace to continue the run starts one, named like itself.
    """
    goal = options.goal
    if goal is None and documents.get("goal", b"").startswith(b'"'):
        goal = json.loads(documents["goal"])
    trace = options.trace or f"00-{run_hex}-{run_hex[-16:]}-01"
    return options._replace(goal=goal, trace=trace)
