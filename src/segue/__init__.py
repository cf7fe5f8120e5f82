"""Segue: typed, durable, fenced hand-offs between agents."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from segue.app.handle import RunHandle
    from segue.app.monitoring import Control
    from segue.app.registry import Registry
    from segue.app.segue import Segue
    from segue.domain.envelope.artifact import Artifact
    from segue.domain.envelope.hand_to import HandTo
    from segue.domain.envelope.handoff import Handoff, Later, Ref
    from segue.domain.envelope.usage import Attachment, Usage
    from segue.domain.envelope.versions import payload, upcast
    from segue.domain.graph.agent import Agent, agent
    from segue.domain.graph.graph_data import graph_from_data
    from segue.domain.graph.routing import Finished, Person, handoff_schema, route_by_next_step
    from segue.domain.graph.watching import monitor, on
    from segue.domain.graph.workflow import Workflow, condition, workflow
    from segue.domain.rows import Event
    from segue.domain.running.steps import DidNotHappen, Happened
    from segue.domain.settings.agent_settings import Quorum
    from segue.domain.settings.pools import Pool
    from segue.domain.settings.retrying import Retry
    from segue.domain.settings.reviewing import Review
    from segue.domain.settings.spending import Spending
    from segue.engine.context import ctx
    from segue.errors import (
        ControlRefused,
        DoNotRetry,
        GraphError,
        InputError,
        LoopDetected,
        NewerPayload,
        PoolTooSmall,
        RetryLater,
        ReviewNeeded,
        ReviewRefused,
        RunCancelled,
        RunFailed,
        SchemaDrift,
        SegueError,
        SpendingExceeded,
        StaleEpoch,
        UnknownAgent,
        UpstreamFailed,
    )

__version__ = "0.1.0"

__all__ = [
    "Agent",
    "Artifact",
    "Attachment",
    "Control",
    "ControlRefused",
    "DidNotHappen",
    "DoNotRetry",
    "Event",
    "Finished",
    "GraphError",
    "HandTo",
    "Handoff",
    "Happened",
    "InputError",
    "Later",
    "LoopDetected",
    "NewerPayload",
    "Person",
    "Pool",
    "PoolTooSmall",
    "Quorum",
    "Ref",
    "Registry",
    "Retry",
    "RetryLater",
    "Review",
    "ReviewNeeded",
    "ReviewRefused",
    "RunCancelled",
    "RunFailed",
    "RunHandle",
    "SchemaDrift",
    "Segue",
    "SegueError",
    "Spending",
    "SpendingExceeded",
    "StaleEpoch",
    "UnknownAgent",
    "UpstreamFailed",
    "Usage",
    "Workflow",
    "agent",
    "condition",
    "ctx",
    "graph_from_data",
    "handoff_schema",
    "monitor",
    "on",
    "payload",
    "route_by_next_step",
    "upcast",
    "workflow",
]

_HOMES = {
    "segue.app.handle": ("RunHandle",),
    "segue.app.monitoring": ("Control",),
    "segue.app.registry": ("Registry",),
    "segue.app.segue": ("Segue",),
    "segue.domain.graph.agent": ("Agent", "agent"),
    "segue.domain.settings.agent_settings": ("Quorum",),
    "segue.domain.envelope.artifact": ("Artifact",),
    "segue.domain.envelope.hand_to": ("HandTo",),
    "segue.domain.envelope.handoff": ("Handoff", "Later", "Ref"),
    "segue.domain.graph.graph_data": ("graph_from_data",),
    "segue.domain.rows": ("Event",),
    "segue.domain.running.steps": ("DidNotHappen", "Happened"),
    "segue.domain.settings.pools": ("Pool",),
    "segue.domain.settings.retrying": ("Retry",),
    "segue.domain.envelope.versions": ("payload", "upcast"),
    "segue.domain.settings.reviewing": ("Review",),
    "segue.domain.envelope.usage": ("Attachment", "Usage"),
    "segue.domain.graph.watching": ("monitor", "on"),
    "segue.domain.graph.routing": ("Finished", "Person", "handoff_schema", "route_by_next_step"),
    "segue.domain.graph.workflow": ("Workflow", "condition", "workflow"),
    "segue.domain.settings.spending": ("Spending",),
    "segue.engine.context": ("ctx",),
    "segue.errors": (
        "ControlRefused",
        "DoNotRetry",
        "GraphError",
        "InputError",
        "LoopDetected",
        "NewerPayload",
        "PoolTooSmall",
        "RetryLater",
        "ReviewNeeded",
        "ReviewRefused",
        "RunCancelled",
        "RunFailed",
        "SchemaDrift",
        "SegueError",
        "SpendingExceeded",
        "StaleEpoch",
        "UnknownAgent",
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
