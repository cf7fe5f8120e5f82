"""Annotations are found wherever Python finds them."""

import pytest

from segue.errors import DefinitionError
from tests.unit.graph import late_names


def test_a_class_further_down_is_found():
    """An annotation may name a class that is defined after the agent."""
    signature = late_names.forward.signature
    assert signature.parameters[0].annotation is late_names.Further
    assert signature.output == list[late_names.Further]


def test_a_local_class_is_found():
    """An annotation may name a class of the function in which the agent is declared."""
    (parameter,) = late_names.local_class().signature.parameters
    assert parameter.annotation.__name__ == "Local"


def test_what_is_closed_over_is_found():
    """An annotation may name a variable that the function closes over."""
    (parameter,) = late_names.closed_over(late_names.Further).signature.parameters
    assert parameter.annotation is late_names.Further


def test_a_name_that_is_not_there_is_named():
    """A class that only type checkers import is an error that names it and says why."""
    with pytest.raises(DefinitionError) as caught:
        late_names.only_for_checkers.signature  # noqa: B018
    assert "agent 'only_for_checkers'" in caught.value.message
    assert "an annotation names 'Decimal', which is not defined" in caught.value.message
    assert "TYPE_CHECKING" in caught.value.remedy
