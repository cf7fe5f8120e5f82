"""Agents for child processes must be where a child can find them; this is checked before anything runs."""

from __future__ import annotations

import sys
from functools import partial
from typing import Any

import pytest

from segue.domain.graph.agent import Agent, agent
from segue.domain.graph.isolation import agent_at, target_of
from segue.domain.graph.workflow import workflow
from segue.errors import DefinitionError, GraphError

HERE = sys.modules[__name__]


@agent(isolation="process", version="2")
def found(text: str) -> str:
    return text


def plain(text: str) -> str:
    return text


class Shout:
    def __call__(self, text: str) -> str:
        return text.upper()

    def out(self, text: str) -> str:
        return text.upper()


def hidden(text: str) -> str:
    return text


shown = hidden


def hidden(text: str) -> str:  # type: ignore[no-redef]
    return f"another {text}"


def in_a_script(text: str) -> str:
    return text


in_a_script.__module__ = "__main__"


def named(fn: Any) -> Agent[Any]:
    """An agent of this function, under a name that any can have."""
    return agent(isolation="process", name="lost")(fn)


def nested() -> Any:
    def inside(text: str) -> str:
        return text

    return inside


def test_what_can_be_imported_is_found() -> None:
    """Decorated, or made an agent elsewhere, or changed for a call: a child finds function and name again."""
    other = agent(isolation="process", name="other")(plain)
    for declared in (found, found.with_(retries=2), other):
        target = target_of(declared)
        again = agent_at(HERE, target)
        assert again is not None
        assert (again.fn, again.name) == (declared.fn, declared.name)


@pytest.mark.parametrize(
    ("fn", "part"),
    [
        (nested(), "inside"),
        (lambda text: text, "<lambda>"),
        (Shout(), "'Shout' object"),
        (Shout().out, "'method' object"),
        (partial(plain), "'partial' object"),
        (shown, "hidden is another one"),
        (in_a_script, "script that was started"),
    ],
    ids=["nested", "lambda", "object", "method", "partial", "shadowed", "script"],
)
def test_what_cannot_be_imported_is_refused(fn: Any, part: str) -> None:
    """A workflow with such an agent is not built; the error names it, says why, and what to do."""
    lost = named(fn)
    with pytest.raises(DefinitionError, match=part) as wrong:
        target_of(lost)
    assert wrong.value.remedy

    @workflow
    def uses(text: str) -> Any:
        return lost(text)

    with pytest.raises(GraphError, match=part) as refused:
        uses.build()
    assert wrong.value.remedy in refused.value.problems[0]


def test_a_fallback_is_checked_too() -> None:
    """An agent that would only run after another failed is found as well, or the workflow is not built."""
    lost = named(nested())
    first = agent(fallback=lost)(plain)

    @workflow
    def uses(text: str) -> str:
        return first(text)

    with pytest.raises(GraphError, match="agent 'lost'"):
        uses.build()


def test_a_call_decides() -> None:
    """What an agent says holds unless the call says otherwise."""
    local = agent(nested())

    @workflow
    def isolates(text: str) -> str:
        return local.with_(isolation="process")(text)

    @workflow
    def does_not(text: str) -> str:
        return named(nested()).with_(isolation="thread")(text)

    with pytest.raises(GraphError, match="inside"):
        isolates.build()
    assert does_not.build()
