"""Where a child process finds an agent again: by importing its module and looking up the function's name there."""

from __future__ import annotations

import inspect
import sys
from typing import Any, NamedTuple

from segue.domain.graph.agent import Agent


class Target(NamedTuple):
    """The module that has an agent's function, what to look up in it, and the agent's name."""

    module: str
    qualname: str
    name: str


def target_of(agent: Agent[Any]) -> Target:
    """Where a child process finds an agent. Raises DefinitionError if an import does not lead to it."""
    fn = agent.fn
    if not inspect.isfunction(fn):
        raise agent.wrong(
            f'isolation="process" needs a function, and it is {type(fn).__name__!r} object',
            "Write a function at the top level of a module that uses the object.",
        )
    if fn.__module__ == "__main__":
        raise agent.wrong(
            'isolation="process" needs a module, and it is defined in the script that was started',
            "Put it into a module and import that from the script.",
        )
    if "<" in fn.__qualname__:
        raise agent.wrong(
            f'isolation="process" needs a function that can be imported, and it is {fn.__qualname__}',
            "Write it at the top level of a module.",
        )
    target = Target(fn.__module__, fn.__qualname__, agent.name)
    if function_at(sys.modules.get(target.module), target.qualname) is not fn:
        raise agent.wrong(
            f'isolation="process" needs a function that can be imported, and {fn.__module__}:{fn.__qualname__} '
            "is another one or not there",
            "Let the name in the module stand for this agent alone.",
        )
    return target


def function_at(module: Any, qualname: str) -> Any:
    """The function, that of an agent included, which a module has under a name; None if there is none."""
    found = module
    for part in qualname.split("."):
        found = getattr(found, part, None)
    return found.fn if isinstance(found, Agent) else found


def agent_at(module: Any, target: Target) -> Agent[Any] | None:
    """The agent that a target names, in its imported module; None if it is not there."""
    fn = function_at(module, target.qualname)
    return Agent(fn, {"name": target.name}, {}) if inspect.isfunction(fn) else None
