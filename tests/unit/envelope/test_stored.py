"""What was stored is made sense of, or refused in words of our own."""

import pytest

from segue.domain.envelope.stored import data_of, reason_of, understood, verified
from segue.domain.rows import Event, StoredHandoff, TaskRecord
from segue.errors import StoreCorrupt
from segue.testing.conformance.desk import handoff

TASK = TaskRecord("run-1", "a", 3, "a_agent", "failed", 1, 1, 1, None, None, (), None, None, None, None)
EVENT = Event("cursor", "run-1", 7, "task.a_agent.failed", "a[3]", 1, 1.0, None)
NO_OBJECT = ["[]", "1", '"text"', "null", "{", "", "NaN,", "[" * 5_000]


def test_what_is_there_is_told() -> None:
    """A reason is an object, the data of an event any JSON; where there is none, nothing is made up."""
    assert reason_of(TASK) == {}
    assert reason_of(TASK._replace(error='{"kind":"Error"}')) == {"kind": "Error"}
    assert (data_of(EVENT), data_of(EVENT._replace(data="[1]"))) == (None, [1])


@pytest.mark.parametrize("text", NO_OBJECT)
def test_a_reason_of_another_form_is_refused(text: str) -> None:
    """The error names the task and the run, and what to do."""
    with pytest.raises(StoreCorrupt, match=r"a\[3\] in run run-1") as caught:
        reason_of(TASK._replace(error=text))
    assert caught.value.remedy


def test_data_that_is_no_json_is_refused() -> None:
    """The error names the event."""
    with pytest.raises(StoreCorrupt, match="event 7 of run run-1"):
        data_of(EVENT._replace(data="{"))


def test_bytes_must_be_those_that_were_sent() -> None:
    """A hand-off is given out as it was, or not at all."""
    stored = StoredHandoff("run-1", "a", 3, 1, handoff())
    assert verified(stored) is stored
    changed = stored._replace(record=stored.record._replace(body=b'{"output":1}'))
    with pytest.raises(StoreCorrupt, match=r"hand-off 1 of a\[3\] in run run-1 was changed"):
        verified(changed)


@pytest.mark.parametrize(
    "error", [ValueError, TypeError, KeyError, IndexError, AttributeError, RecursionError]
)
def test_whatever_a_wrong_form_leads_to_is_one_error(error: type[Exception]) -> None:
    """However reading fails, the cause is kept behind an error that says what is damaged."""
    with pytest.raises(StoreCorrupt, match="the thing is damaged") as caught, understood("the thing"):
        raise error
    assert isinstance(caught.value.__cause__, error)


def test_mistakes_of_our_own_come_through() -> None:
    """What has nothing to do with a form is left alone."""
    with pytest.raises(ZeroDivisionError), understood("the thing"):
        _ = 1 / 0
