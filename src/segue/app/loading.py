"""
Finding workflows and agents by name, for whoever starts from a text: the command line, a worker, a web page.

The current folder counts as a place to import from, as it does for `python -m`.
"""

from __future__ import annotations

import importlib
import re
import sys
import traceback
from pathlib import Path
from types import ModuleType
from typing import Any

from segue.domain.graph.agent import Agent
from segue.domain.graph.graph_data import graph_from_data
from segue.domain.graph.workflow import Built, ConditionFunction, Workflow
from segue.errors import LoadError, SegueError

_MODULE = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*")
_SHOWN_NAMES = 12

GRAPH_FILES = (".json", ".yaml", ".yml")


def load_workflow(target: str) -> Workflow[..., Any]:
    """
    The workflow that `module:workflow` names; `module` alone will do where it defines a single one.

    Raises LoadError.
    """
    module_name, _, attribute = target.partition(":")
    module = load_module(module_name)
    if not attribute:
        return _only_workflow(module)
    value: Any = module
    for part in attribute.split("."):
        try:
            value = getattr(value, part)
        except AttributeError:
            raise LoadError(f"{module_name!r} has no {attribute!r}", remedy=_choice(module)) from None
    if not isinstance(value, Workflow):
        raise LoadError(
            f"{target!r} is not a workflow, it is {_what(value)}",
            remedy=f"Decorate it with @workflow. {_choice(module)}",
        )
    return value


def load_built(target: str, agents: str | None = None) -> Built:
    """
    The built workflow that a text names: `module:workflow`, or the path of a graph in JSON or YAML.

    The agents of such a graph are those of the module `agents`. Raises LoadError, and GraphError if it cannot run.
    """
    if not target.endswith(GRAPH_FILES):
        return _built(load_workflow(target))
    if agents is None:
        raise LoadError(f"{target!r} needs its agents", remedy="Say which module has them: --agents MODULE")
    try:
        text = Path(target).read_text("utf-8")
    except (OSError, UnicodeError) as error:
        raise LoadError(
            f"the graph {target!r} cannot be read: {error}",
            remedy="Give the path of a graph in JSON or YAML.",
        ) from error
    values = vars(load_module(agents)).values()
    return graph_from_data(
        text,
        {value.name: value for value in values if isinstance(value, Agent)},
        {value.name: value for value in values if isinstance(value, ConditionFunction)},
    )


def _built(workflow: Workflow[..., Any]) -> Built:
    """The workflow, built. Raises LoadError for whatever its function raises by itself."""
    try:
        return workflow.build()
    except SegueError:
        raise
    except (Exception, SystemExit) as error:
        raise _failed(f"workflow {workflow.name!r} cannot be drawn", error) from error


def load_module(name: str) -> ModuleType:
    """Import a module, also from the current folder. Raises LoadError."""
    if not name:
        raise LoadError("no module is named", remedy="Name one: package.module:workflow.")
    if not _MODULE.fullmatch(name):
        raise LoadError(f"{name!r} is not the name of a module", remedy=_as_module(name))
    folder = str(Path.cwd())
    if folder not in sys.path:
        sys.path.insert(0, folder)
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is not None and (error.name == name or name.startswith(f"{error.name}.")):
            remedy = f"Run this in the folder that holds it (here is {folder}), or install it."
            raise LoadError(
                f"there is no module {name!r}", remedy=_as_module(name) if name.endswith(".py") else remedy
            ) from error
        raise _failed(f"module {name!r} cannot be imported", error) from error
    except (Exception, SystemExit) as error:
        raise _failed(f"module {name!r} cannot be imported", error) from error


def workflows_of(module: ModuleType) -> dict[str, Workflow[..., Any]]:
    """The workflows in a module by attribute: those that it defines, or, where it defines none, those it imports."""
    found = {name: value for name, value in vars(module).items() if isinstance(value, Workflow)}
    own = {name: value for name, value in found.items() if value.fn.__module__ == module.__name__}
    return own or found


def _only_workflow(module: ModuleType) -> Workflow[..., Any]:
    found = workflows_of(module)
    if len(found) == 1:
        return next(iter(found.values()))
    if found:
        raise LoadError(f"{module.__name__!r} has several workflows", remedy=_choice(module))
    raise LoadError(
        f"{module.__name__!r} has no workflow", remedy="Decorate a function in it with @workflow."
    )


def _choice(module: ModuleType) -> str:
    names = list(workflows_of(module))
    if not names:
        return f"{module.__name__!r} has no workflow: decorate a function in it with @workflow."
    shown = [f"{module.__name__}:{name}" for name in names[:_SHOWN_NAMES]]
    more = f" and {len(names) - _SHOWN_NAMES} more" if len(names) > _SHOWN_NAMES else ""
    return f"It has: {', '.join(shown)}{more}."


def _what(value: Any) -> str:
    kind = type(value).__name__
    return f"{'an' if kind[0] in 'aeiouAEIOU' else 'a'} {kind}"


def _as_module(name: str) -> str:
    """What somebody meant who gave the path of a file."""
    path = Path(name)
    guess = ".".join(path.with_suffix("").parts)
    if path.suffix == ".py" and _MODULE.fullmatch(guess):
        return f"Write it as for an import: {guess}:workflow."
    return "Write it as for an import: package.module:workflow."


def _failed(what: str, error: BaseException) -> LoadError:
    """The user's code is there and fails while it is loaded; the error says where."""
    said = error.message if isinstance(error, SegueError) else f"{type(error).__name__}: {error}"
    place = _place(error)
    remedy = error.remedy if isinstance(error, SegueError) else None
    return LoadError(
        f"{what}: {said}{f' ({place})' if place else ''}",
        remedy=remedy or "Mend it there; --debug shows the traceback.",
    )


def _place(error: BaseException) -> str | None:
    """File and line of the error in the user's code: the last place that is neither Segue's nor the import system's."""
    if isinstance(error, SyntaxError):
        return f"{error.filename}, line {error.lineno}"
    inside = str(Path(__file__).parents[1])
    frames = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if not frame.filename.startswith(("<frozen", inside)) and "importlib" not in frame.filename
    ]
    return f"{frames[-1].filename}, line {frames[-1].lineno}" if frames else None
