"""Segue: typed, durable, fenced hand-offs between agents."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from segue.app.handle import RunHandle
    from segue.app.segue import Segue
    from segue.domain.agent import Agent, agent
    from segue.domain.agent_settings import Quorum
    from segue.domain.artifact import Artifact
    from segue.domain.graph_data import graph_from_data
    from segue.domain.handoff import Handoff, Later, Ref
    from segue.domain.records import Event
    from segue.domain.retrying import Retry
    from segue.domain.steps import DidNotHappen, Happened
    from segue.domain.usage import Attachment, Usage
    from segue.domain.workflow import Workflow, condition, workflow
    from segue.engine.attempt import ctx
    from segue.errors import (
        DoNotRetry,
        GraphError,
        InputError,
        RetryLater,
        ReviewNeeded,
        RunCancelled,
        RunFailed,
        SegueError,
        StaleEpoch,
        UpstreamFailed,
    )

__version__ = "0.1.0"

__all__ = [
    "Agent",
    "Artifact",
    "Attachment",
    "DidNotHappen",
    "DoNotRetry",
    "Event",
    "GraphError",
    "Handoff",
    "Happened",
    "InputError",
    "Later",
    "Quorum",
    "Ref",
    "Retry",
    "RetryLater",
    "ReviewNeeded",
    "RunCancelled",
    "RunFailed",
    "RunHandle",
    "Segue",
    "SegueError",
    "StaleEpoch",
    "UpstreamFailed",
    "Usage",
    "Workflow",
    "agent",
    "condition",
    "ctx",
    "graph_from_data",
    "workflow",
]

_HOMES = {
    "segue.app.handle": ("RunHandle",),
    "segue.app.segue": ("Segue",),
    "segue.domain.agent": ("Agent", "agent"),
    "segue.domain.agent_settings": ("Quorum",),
    "segue.domain.artifact": ("Artifact",),
    "segue.domain.handoff": ("Handoff", "Later", "Ref"),
    "segue.domain.graph_data": ("graph_from_data",),
    "segue.domain.records": ("Event",),
    "segue.domain.steps": ("DidNotHappen", "Happened"),
    "segue.domain.retrying": ("Retry",),
    "segue.domain.usage": ("Attachment", "Usage"),
    "segue.domain.workflow": ("Workflow", "condition", "workflow"),
    "segue.engine.attempt": ("ctx",),
    "segue.errors": (
        "DoNotRetry",
        "GraphError",
        "InputError",
        "RetryLater",
        "ReviewNeeded",
        "RunCancelled",
        "RunFailed",
        "SegueError",
        "StaleEpoch",
        "UpstreamFailed",
    ),
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used: importing everything would cost each command 300 ms."""
    try:
        home = _HOME_OF[name]
    except KeyError:
        raise AttributeError(f"module 'segue' has no attribute {name!r}") from None
    value = getattr(import_module(home), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
