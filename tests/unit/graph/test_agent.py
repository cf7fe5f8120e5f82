"""Agents: what a declaration says, what is refused, and what a call outside a workflow does."""

import functools
from dataclasses import dataclass
from typing import Annotated

import pytest
from pydantic import BaseModel, Field

from segue.domain.envelope.handoff import Handoff, Later, Ref
from segue.domain.graph.agent import Agent, agent
from segue.domain.settings.agent_settings import Quorum
from segue.domain.settings.node_settings import NodeSettings
from segue.domain.settings.retrying import Retry, RetryPolicy
from segue.errors import DefinitionError, UsageError


class Findings(BaseModel):
    competitors: list[str]


@dataclass
class Prices:
    total: float


def test_a_bare_declaration():
    """A function becomes an agent of its name, with the settings that everybody gets."""

    @agent
    async def research(goal: str) -> Findings:
        """Find competitors."""
        return Findings(competitors=[goal])

    assert isinstance(research, Agent)
    assert (research.name, research.version, research.concurrency) == ("research", "1", None)
    assert research.settings == NodeSettings()
    assert research.__doc__ == "Find competitors."
    assert research.place.startswith(__file__ + ":")
    assert research.signature.is_async
    assert not research.signature.returns_handoff
    assert research.output_schema.annotation is Findings
    assert list(research.input_schemas) == ["goal"]


def test_settings_are_read():
    """Every setting ends up where the engine looks for it, durations in seconds."""

    @agent(
        name="market.research",
        version="2",
        timeout="2m",
        retries=3,
        backoff="500ms",
        concurrency=4,
        speculative=True,
        decisions="required",
        takes=30,
        idle="30s",
        queue=None,
        deadline="10m",
        on_overrun="fail",
        losses=2,
        on_failure=Quorum(3),
    )
    def research(goal: str) -> str:
        return goal

    assert (research.name, research.version, research.concurrency) == ("market.research", "2", 4)
    assert research.settings == NodeSettings(
        budgets={
            "timeout_seconds": 120.0,
            "idle_seconds": 30.0,
            "queue_seconds": None,
            "deadline_seconds": 600.0,
        },
        retry=RetryPolicy(retries=3, backoff_seconds=0.5),
        takes_seconds=30.0,
        speculative=True,
        decisions_required=True,
        on_overrun="fail",
        losses=2,
        on_failure="proceed",
        quorum=3,
    )


def test_backoff_can_be_none():
    """Without a backoff a retry comes at once."""
    retried = agent(name="x", backoff=None)(lambda: None)
    assert retried.settings.retry.backoff_seconds == 0.0


@pytest.mark.parametrize(
    ("settings", "part"),
    [
        ({"retries": -1}, "retries=-1"),
        ({"retries": 1.5}, "retries=1.5"),
        ({"retries": True}, "retries=True"),
        ({"concurrency": 0}, "concurrency=0"),
        ({"concurrency": "2"}, "concurrency='2'"),
        ({"timeout": "soon"}, "timeout: 'soon' is not a duration"),
        ({"timeout": 0}, "timeout: the duration 0"),
        ({"backoff": -1}, "backoff: the duration -1"),
        ({"takes": "long"}, "takes: 'long'"),
        ({"takes": "2m", "timeout": "1m"}, "takes='2m' is longer than timeout='1m'"),
        ({"takes": "2h"}, "takes='2h' is longer than timeout='1h', which holds where none is given"),
        ({"idle": "2m", "timeout": "1m"}, "idle='2m' is longer than timeout='1m'"),
        ({"idle": "2h"}, "idle='2h' is longer than timeout='1h', which holds where none is given"),
        ({"timeout": "2m", "deadline": "1m"}, "timeout='2m' is longer than deadline='1m'"),
        ({"queue": "2m", "deadline": "1m"}, "queue='2m' is longer than deadline='1m'"),
        ({"queue": "later"}, "queue: 'later' is not a duration"),
        ({"on_overrun": "retry"}, "on_overrun='retry' is not known"),
        ({"on_failure": 2}, "on_failure=2 is not known"),
        ({"losses": 0}, "losses=0"),
        ({"fallback": "cheaper"}, "fallback='cheaper' is no agent"),
        ({"retries": Retry(1), "backoff": "1s"}, "backoff= stands beside a Retry"),
        ({"speculative": "yes"}, "speculative='yes'"),
        ({"decisions": "maybe"}, "decisions='maybe'"),
        ({"version": 2}, "version=2"),
        ({"version": ""}, "version=''"),
        ({"retires": 3}, "there is no setting 'retires'"),
        ({"name": "segue.map"}, "names that begin with 'segue.'"),
        ({"name": "a[3]"}, "that is no name"),
        ({"name": "a/b"}, "that is no name"),
        ({"name": ""}, "that is no name"),
    ],
)
def test_bad_settings_are_refused(settings, part):
    """A bad setting is refused where it stands, with agent, place and remedy."""

    def research(goal: str) -> str:
        return goal

    with pytest.raises(DefinitionError) as caught:
        agent(**settings)(research)
    name = settings.get("name", "research")
    place = f"{__file__}:{research.__code__.co_firstlineno}"
    assert caught.value.message.startswith(f"agent {name!r} ({place}): ")
    assert part in caught.value.message
    assert caught.value.remedy


def test_a_call_may_have_other_settings():
    """A copy differs in what it was given and in nothing else, and the agent itself stays as it was."""

    @agent(timeout="2m", idle="20s", retries=Retry(3, terminal=(ValueError,)))
    def research(goal: str) -> str:
        return goal

    other = research.with_(timeout="30s", retries=0)
    assert other.settings == NodeSettings(budgets={"timeout_seconds": 30.0, "idle_seconds": 20.0})
    assert research.settings.budgets["timeout_seconds"] == 120.0
    assert (other.fn, other.name, other.declared) == (research.fn, research.name, research)
    assert other.with_(idle=None).settings.budgets == {"timeout_seconds": 30.0, "idle_seconds": None}


def test_a_call_may_have_a_whole_policy_instead():
    """A `Retry` takes the place of `retries` and `backoff` together; a number leaves the backoff as it is."""

    @agent(retries=3, backoff="5s")
    def research(goal: str) -> str:
        return goal

    assert research.with_(retries=Retry(1, "2s")).settings.retry.backoff_seconds == 2.0
    assert research.with_(retries=1).settings.retry.backoff_seconds == 5.0
    with pytest.raises(DefinitionError, match="backoff= stands beside a Retry"):
        research.with_(retries=Retry(1), backoff="2s")


@pytest.mark.parametrize(
    ("settings", "part"),
    [
        ({"name": "other"}, "there is no setting 'name' here"),
        ({"concurrency": 2}, "there is no setting 'concurrency' here"),
        ({"timeout": "10s"}, "idle='20s' is longer than timeout='10s'"),
    ],
)
def test_bad_settings_of_a_call_are_refused(settings, part):
    """What a call may not say, or contradicts what the agent says, is refused at the line of the call."""

    @agent(idle="20s")
    def research(goal: str) -> str:
        return goal

    with pytest.raises(
        DefinitionError, match=r"research\.with_\(\.\.\.\) \(.*test_agent.py:\d+\): "
    ) as caught:
        research.with_(**settings)
    assert part in caught.value.message
    assert caught.value.remedy


def test_crossings_are_read_from_the_types():
    """The type of a parameter says how much crosses, whether for each of a list, and whether None will do."""

    @agent
    def write(
        whole: Handoff[Findings],
        maybe: Handoff[Findings] | None,
        pointer: Annotated[Ref[Findings], "a note"],
        later: Later[Prices],
        later_or_none: Later[Prices | None],
        all_of_them: list[Ref[Findings]],
        some_of_them: list[Handoff[Findings] | None],
        plain: Annotated[int, Field(ge=0)] = 3,
        nothing: str | None = None,
        anything=None,
    ) -> Handoff[Prices]:
        raise AssertionError

    rows = {each.name: (each.crossing, each.each, each.optional) for each in write.signature.parameters}
    assert rows == {
        "whole": ("handoff", False, False),
        "maybe": ("handoff", False, True),
        "pointer": ("reference", False, False),
        "later": ("later", False, False),
        "later_or_none": ("later", False, True),
        "all_of_them": ("reference", True, False),
        "some_of_them": ("handoff", True, True),
        "plain": ("value", False, False),
        "nothing": ("value", False, True),
        "anything": ("value", False, False),
    }
    inner = {each.name: each.annotation for each in write.signature.parameters}
    assert inner["maybe"] is Findings
    assert inner["all_of_them"] is Findings
    assert inner["later_or_none"] == Prices | None
    assert [limit.ge for limit in inner["plain"].__metadata__[0].metadata] == [0]
    assert [each.name for each in write.signature.parameters if not each.required] == [
        "plain",
        "nothing",
        "anything",
    ]
    assert write.signature.output is Prices
    assert write.signature.returns_handoff
    assert [each.text for each in write.signature.parameters][:6] == [
        "Handoff[Findings]",
        "Handoff[Findings] | None",
        "Ref[Findings]",
        "Later[Prices]",
        "Later[Prices | None]",
        "list[Ref[Findings]]",
    ]


def test_without_annotations_anything_may_cross():
    """A bare envelope and a missing annotation stand for any type."""

    @agent
    def loose(a, b: Handoff, c: Ref):
        return a, b, c

    assert [str(each.annotation) for each in loose.signature.parameters] == ["typing.Any"] * 3
    assert [each.crossing for each in loose.signature.parameters] == ["value", "handoff", "reference"]
    assert loose.output_schema.document == {}


def positional(a: int, /) -> int:
    return a


def many(*items: int) -> int:
    return len(items)


def named(**items: int) -> int:
    return len(items)


def ordered(after: int) -> int:
    return after


def inside(found: dict[str, Handoff[Findings]]) -> int:
    return len(found)


def either(found: Handoff[Findings] | Ref[Findings]) -> int:
    return 1


def late_list(found: list[Later[Findings]]) -> int:
    return 1


def nested(found: Handoff[Ref[Findings]]) -> int:
    return 1


def gives_reference() -> Ref[Findings]:
    raise AssertionError


def gives_maybe() -> Handoff[Findings] | None:
    return None


def generates() -> list[int]:
    yield 1


async def streams() -> list[int]:
    yield 1


def promises() -> "Awaitable[int]":  # noqa: F821
    raise AssertionError


@pytest.mark.parametrize(
    ("function", "part"),
    [
        (positional, "'a' is positional only"),
        (many, "takes *items"),
        (named, "takes **items"),
        (ordered, "'after' has the name of the keyword"),
        (inside, "the parameter 'found' has Handoff inside another type: dict[str, Handoff[Findings]]"),
        (either, "inside another type"),
        (late_list, "Later inside another type"),
        (nested, "Ref inside another type"),
        (gives_reference, "its output has Ref inside another type"),
        (gives_maybe, "its output has Handoff inside another type"),
        (generates, "it is a generator"),
        (streams, "it is a generator"),
        (promises, "an annotation names 'Awaitable', which is not defined"),
        (lambda goal: goal, "that is no name"),
        (max, "Python does not know its parameters"),
    ],
)
def test_functions_that_cannot_be_agents(function, part):
    """What no hand-off can give or take is refused where the function is declared, or first used."""
    with pytest.raises(DefinitionError) as caught:
        agent(function).signature  # noqa: B018
    assert part in caught.value.message
    assert caught.value.remedy


def test_a_method_without_its_object():
    """Decorating a method in its class is refused: nobody would pass `self`."""
    with pytest.raises(DefinitionError, match="it is a method without its object"):

        class Helper:
            @agent
            def research(self, goal: str) -> str:
                return goal


def positional_free(a: int) -> int:
    return a


@pytest.mark.parametrize("thing", [3, "research", agent(positional_free), Findings, dict])
def test_what_is_no_function_is_refused(thing):
    """Only something that can be called, and is no agent already, becomes an agent."""
    with pytest.raises(DefinitionError, match="which is no function"):
        agent(thing)


class Summariser:
    async def __call__(self, text: str, length: int = 3) -> Findings:
        return Findings(competitors=[text[:length]])

    def shorten(self, text: str) -> str:
        return text[:1]


def test_objects_methods_and_partials_can_be_agents():
    """Anything that can be called is an agent, with the name and the parameters that it has."""
    summarise = agent(Summariser())
    assert (summarise.name, summarise.signature.is_async) == ("Summariser", True)
    assert [each.name for each in summarise.signature.parameters] == ["text", "length"]
    assert summarise.signature.output is Findings
    shorten = agent(Summariser().shorten)
    assert (shorten.name, shorten.signature.parameters[0].annotation) == ("shorten", str)
    part = agent(functools.partial(positional_free, a=3))
    assert (part.name, part.signature.parameters[0].required) == ("positional_free", False)


def test_calling_an_agent_outside_a_workflow():
    """A call outside a workflow is refused with the line and both remedies; `fn` is the function."""
    free = agent(positional_free)
    with pytest.raises(UsageError) as caught:
        free(3)
    assert caught.value.message.startswith(f"{__file__}:")
    assert "agent 'positional_free' was called outside a workflow" in caught.value.message
    assert "segue.run(...)" in caught.value.remedy
    assert "positional_free.fn(...)" in caught.value.remedy
    assert free.fn(3) == 3
    with pytest.raises(UsageError, match="outside a workflow"):
        free.map([3])
    with pytest.raises(UsageError, match="outside a workflow"):
        free.when(True)(3)
