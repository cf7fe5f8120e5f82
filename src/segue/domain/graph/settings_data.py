"""The settings of a call in a graph given as data: what `agent.with_(...)` takes, in JSON."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from segue.domain.graph.agent import Agent
from segue.domain.settings.agent_settings import Quorum, refuse_others
from segue.domain.settings.pools import Pool
from segue.domain.settings.retrying import Retry
from segue.domain.settings.reviewing import Review
from segue.errors import UsageError


def settings_from_data(given: Mapping[str, Any], agents: Mapping[str, Agent[Any]]) -> dict[str, Any]:
    """
    The settings as `with_` takes them: a fallback is given by its name, `retries` as a number or an object of what
    `Retry` takes, a quorum as `{"quorum": 2}`, a review as an object of what `Review` takes, pools as `{"gpu": 1}` or
    `{"gpu": {"places": 1, "keep": true}}`. Raises UsageError.
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
    if isinstance(settings.get("review"), Mapping):
        settings["review"] = _review(settings["review"])
    if isinstance(settings.get("pools"), Mapping):
        settings["pools"] = {name: _pool(name, each) for name, each in settings["pools"].items()}
    fallback = settings.get("fallback")
    if isinstance(fallback, str):
        if fallback not in agents:
            raise UsageError(
                f"fallback: there is no agent {fallback!r}", remedy=f"There are: {', '.join(agents)}."
            )
        settings["fallback"] = agents[fallback]
    return settings


def _review(given: Mapping[str, Any]) -> Review:
    refuse_others(given, Review.__dataclass_fields__)
    following = given.get("escalate_to")
    if isinstance(following, Mapping):
        return Review(**{**given, "escalate_to": _review(following)})
    return Review(**given)


def _pool(name: str, given: Any) -> Any:
    if not isinstance(given, Mapping):
        return given
    refuse_others(given, Pool.__dataclass_fields__)
    try:
        return Pool(**given)
    except UsageError as error:
        raise UsageError(f"pools[{name!r}]: {error.message}", remedy=error.remedy) from None
