"""What a model is shown, what it answers, and who goes on by the next step."""

from __future__ import annotations

import json
from typing import Any

import pytest
from pydantic import BaseModel

from segue import (
    Finished,
    Handoff,
    HandTo,
    Later,
    Person,
    UnknownAgent,
    agent,
    handoff_schema,
    route_by_next_step,
)
from segue.errors import DefinitionError, InvalidPayload, PayloadError


class Order(BaseModel):
    """An order."""

    number: int


@agent
async def billing(order: Order, note: str = "none", _round: int = 0) -> str:
    """Pays an order back."""
    return f"{order.number} {note} {_round}"


@agent
async def refunds(order: Handoff[Order]) -> str:
    """Takes all of the hand-off."""
    return str(order.output.number)


@agent
async def later(order: Later[Order]) -> str:
    """Only a graph can call this."""
    return str((await order).number)


def test_the_schema_says_what_a_model_must_fill() -> None:
    """Name, description, and the arguments with their types; what has a default may be left out."""
    shown = handoff_schema(billing)
    assert (shown["name"], shown["description"]) == ("billing", "Pays an order back.")
    parameters = shown["parameters"]
    assert parameters["required"] == ["order"]
    assert set(parameters["properties"]) == {"order", "note", "_round"}
    assert parameters["additionalProperties"] is False
    assert parameters["$defs"]["Order"]["properties"]["number"]["type"] == "integer"
    assert set(handoff_schema(refunds)["parameters"]["properties"]) == {"order"}
    with pytest.raises(DefinitionError, match="only a graph can give"):
        handoff_schema(later)


def test_the_answer_of_a_model_becomes_a_hand_off() -> None:
    """The agent is found by its name, and the rest goes along."""
    answer = {
        "agent": "billing",
        "arguments": {"order": {"number": 7}},
        "decisions": ["pay"],
        "confidence": 0.5,
    }
    hand = HandTo.from_json(json.dumps(answer), [billing, refunds])
    assert hand.agent is billing
    assert hand.arguments == {"order": {"number": 7}}
    assert (hand.draft.decisions, hand.draft.confidence) == (("pay",), 0.5)


@pytest.mark.parametrize(
    ("answer", "error", "told"),
    [
        ("no json", PayloadError, "the model's answer"),
        ("[]", InvalidPayload, "names no agent"),
        ('{"agent": "nobody"}', UnknownAgent, "no agent 'nobody'"),
        ('{"agent": "billing", "arguments": []}', InvalidPayload, "are no object"),
        ('{"agent": "billing", "arguments": {}}', InvalidPayload, "'order' is missing"),
        (
            '{"agent": "billing", "arguments": {"order": {"number": "x"}}}',
            InvalidPayload,
            "the argument 'order'",
        ),
        (
            '{"agent": "billing", "arguments": {"order": {"number": 1}, "x": 1}}',
            InvalidPayload,
            "no parameter 'x'",
        ),
        ('{"agent": "billing", "arguments": {"order": {"number": 1}}, "y": 1}', InvalidPayload, "'y'"),
        (
            '{"agent": "billing", "arguments": {"order": {"number": 1}}, "confidence": 7}',
            InvalidPayload,
            "confidence is 7",
        ),
    ],
)
def test_an_answer_that_does_not_fit_is_told_at_once(answer: str, error: type[Exception], told: str) -> None:
    """The agent that asked the model hears what is wrong, and can ask again."""
    with pytest.raises(error, match=told):
        HandTo.from_json(answer, [billing, refunds])


def test_the_next_step_says_who_goes_on() -> None:
    """An agent gets the output as its argument with the reasoning, a person a review, and what is finished stays."""
    route = route_by_next_step(
        {"refund": refunds, "pay": billing, "escalate": Person("ops", "ann")}, otherwise=Finished()
    )
    order = Order(number=3)
    to_agent = route(Handoff(order, next_step="refund", decisions=["sorry"], summary="s"))
    assert isinstance(to_agent, HandTo)
    assert (to_agent.agent, to_agent.arguments) == (refunds, {"order": order})
    assert (to_agent.draft.decisions, to_agent.draft.summary) == (("sorry",), "s")
    to_person = route(Handoff(order, next_step="escalate"))
    assert isinstance(to_person, Handoff)
    assert (to_person.status, to_person.output, to_person.next_step) == ("needs_review", order, "escalate")
    assert to_person.attachments[0].data == {"people": ["ops", "ann"]}
    done: Handoff[Order] = Handoff(order)
    assert route(done) is done


def test_a_step_that_leads_nowhere() -> None:
    """Without `otherwise` an unknown step is an error that names those there are."""
    route = route_by_next_step({"refund": refunds})
    with pytest.raises(InvalidPayload, match="'other' leads nowhere") as caught:
        route(Handoff(1, next_step="other"))
    assert "refund" in (caught.value.remedy or "")


@agent
async def pair(one: int, two: int) -> int:
    """Takes two."""
    return one + two


@pytest.mark.parametrize("given", [pair, "refunds", 3])
def test_destinations_are_checked_when_they_are_given(given: Any) -> None:
    """Only agents of one argument, persons and `Finished()` can go on."""
    with pytest.raises(DefinitionError):
        route_by_next_step({"x": given})


@pytest.mark.parametrize(
    ("arguments", "told"),
    [({"agent": 3}, "is no agent"), ({"agent": "a", "arguments": {"x": 1}, "x": 2}, "has x twice")],
)
def test_what_is_no_hand_off(arguments: dict[str, Any], told: str) -> None:
    """`HandTo` itself is checked when it is made, and does not change."""
    target = arguments.pop("agent")
    with pytest.raises(InvalidPayload, match=told):
        HandTo(target, **arguments)
    with pytest.raises(AttributeError):
        HandTo("a").agent = "b"  # type: ignore[misc]
