"""The settings of a call in a graph given as data: what `agent.with_(...)` takes, in JSON."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from segue.domain.graph.agent import Agent
from segue.domain.settings.agent_settings import Quorum, refuse_others
from segue.domain.settings.retrying import Retry
from segue.errors import UsageError


def settings_from_data(given: Mapping[str, Any], agents: Mapping[str, Agent[Any]]) -> dict[str, Any]:
    """
    The settings as `with_` takes them: a fallback is given by its name, `retries` as a number or an object of what
    `Retry` takes, a quorum as `{"quorum": 2}`. Raises UsageError.
    """
    settings = {str(name): value for name, value in given.items()}
    retries, on_failure = settings.get("retries"), settings.get("on_failure")
    if isinstance(retries, Mapping):
        refuse_others(retries, Retry.__dataclass_fields__)
        if "attempts" not in retries:
            raise UsageError("retries: it misses 'attempts'", remedy='Write {"attempts": 3, ...}.')
        settings["retries"] = Retry(**retries)
    if isinstance(on_failure, Mapping):
        refuse_others(on_failure, ("quorum",))
        settings["on_failure"] = Quorum(on_failure.get("quorum", 0))
    fallback = settings.get("fallback")
    if isinstance(fallback, str):
        if fallback not in agents:
            raise UsageError(
                f"fallback: there is no agent {fallback!r}", remedy=f"There are: {', '.join(agents)}."
            )
        settings["fallback"] = agents[fallback]
    return settings
