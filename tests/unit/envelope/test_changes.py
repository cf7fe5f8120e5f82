"""What a change of a payload breaks is told from its schemas, and agrees with what values do."""

from __future__ import annotations

import json
from typing import Any

import pytest

from segue.domain.envelope.changes import change_between, change_of_payload
from segue.domain.envelope.schema import Schema, schema_of
from segue.errors import InvalidPayload
from tests.changes import CHANGES, PERSON, PERSON_WITH_MAIL, Changed


def schema(source: str) -> Schema[Any]:
    names: dict[str, Any] = {"__name__": __name__}
    exec(compile(source, "<change>", "exec", dont_inherit=True), names)
    return schema_of(names["Found"])


def fits(reader: Schema[Any], value: Any) -> bool:
    try:
        reader.load(json.dumps(value).encode())
    except InvalidPayload:
        return False
    return True


@pytest.mark.parametrize("case", CHANGES, ids=lambda case: case.name)
def test_what_is_said_is_what_happens(case: Changed) -> None:
    """For each change: whom it breaks, and where, is said before there are values, and values do just that."""
    old, new = schema(case.source("old", "1")), schema(case.source("new", "2"))
    assert fits(old, case.old_value)
    assert fits(new, case.new_value)
    change = change_between(old.document, new.document)
    assert (change.breaks_readers, change.breaks_writers) == (case.breaks_readers, case.breaks_writers)
    assert (not fits(new, case.old_value), not fits(old, case.new_value)) == (
        case.breaks_readers,
        case.breaks_writers,
    )
    assert f"Found.{case.field}".removesuffix(".") in [each.field for each in change.fields]


def test_enough_kinds_of_change_are_known() -> None:
    """The table holds more than twenty changes, with each answer for readers and for writers."""
    assert len({case.name for case in CHANGES}) >= 25
    assert {(case.breaks_readers, case.breaks_writers) for case in CHANGES} == {
        (reads, writes) for reads in (True, False) for writes in (True, False)
    }


def test_a_payload_inside_another_changes_by_itself() -> None:
    """A field of a nested payload is named by its own payload, and the one around it has not changed."""
    fields = "class Found(BaseModel):\n    who: Person\n"
    head = CHANGES[0].source("old", "1").partition("@payload")[0]
    old, new = schema(head + PERSON + fields), schema(head + PERSON_WITH_MAIL + fields)
    change = change_between(old.document, new.document)
    assert [str(each) for each in change.fields] == ["Person.mail was added, required"]
    assert change.breaks_readers
    assert old.form.payloads["Found"] == new.form.payloads["Found"]
    assert old.fingerprint != new.fingerprint


EDITS = [
    ('"""One."""\n    a: int\n    b: str = "x"', '"""Another docstring."""\n    a: int\n    b: str = "x"'),
    ('a: int\n    b: str = "x"', 'a: int\n    b: str = "another default"'),
    ("a: int\n    b: str", "b: str\n    a: int"),
    ("a: int | None\n    b: str", "a: None | int\n    b: str"),
    ("a: int = Field(description='x')\n    b: str", "a: int = Field(title='y', examples=[1])\n    b: str"),
    ("a: Literal['p', 'q']\n    b: str", "a: Literal['q', 'p']\n    b: str"),
]


@pytest.mark.parametrize(("before", "after"), EDITS)
def test_what_decides_nothing_is_no_change(before: str, after: str) -> None:
    """Docstrings, descriptions, which default, the order of fields and of alternatives: the payload is the same."""
    head = CHANGES[0].source("old", "1").partition("@payload")[0]
    old = schema(f"{head}class Found(BaseModel):\n    {before}\n").form.payloads["Found"]
    new = schema(f"{head}class Found(BaseModel):\n    {after}\n").form.payloads["Found"]
    assert old.fingerprint == new.fingerprint
    assert change_of_payload(old, new).fields == ()
