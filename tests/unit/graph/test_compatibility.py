"""Types are refused before a run only where no value can fit."""

import datetime as dt
import decimal
import enum
import json
import uuid
from dataclasses import dataclass
from typing import Annotated, Any, Literal, NamedTuple, NotRequired

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    RootModel,
    field_validator,
)
from typing_extensions import TypedDict

from segue.domain.envelope.artifact import Artifact
from segue.domain.envelope.schema import schema_of
from segue.domain.graph.compatibility import fits, missing_fields
from segue.errors import InvalidPayload


class Small(BaseModel):
    x: int


class Large(BaseModel):
    x: int
    y: str = "d"


class Needy(BaseModel):
    x: int
    z: int


class Texts(BaseModel):
    x: str


class Strict(BaseModel):
    model_config = ConfigDict(extra="forbid")
    x: int


class Ignoring(BaseModel):
    model_config = ConfigDict(extra="ignore")
    x: int


class Loose(BaseModel):
    model_config = ConfigDict(extra="allow")
    y: int


class Converting(BaseModel):
    x: int

    @field_validator("x", mode="before")
    @classmethod
    def read(cls, value: Any) -> int:
        return int(value)


class Coercing(BaseModel):
    model_config = ConfigDict(coerce_numbers_to_str=True)
    x: str


@dataclass
class Data:
    x: int


class Typed(TypedDict):
    x: int


class Partial(TypedDict):
    x: NotRequired[str]


class Pair(NamedTuple):
    left: int
    right: str


class Colour(enum.Enum):
    RED = "red"
    BLUE = "blue"


class Tree(BaseModel):
    kids: list["Tree"] = []


class Branch(BaseModel):
    kids: list["Branch"] = []
    size: int = 0


class WrongTree(BaseModel):
    kids: list[int]


class Cat(BaseModel):
    kind: Literal["cat"]
    lives: int


class Dog(BaseModel):
    kind: Literal["dog"]


Pet = Annotated[Cat | Dog, Field(discriminator="kind")]
Numbers = RootModel[list[int]]


VERDICTS = [
    (str, int, "no"),
    (int, str, "no"),
    (int, float, "yes"),
    (float, int, "unknown"),
    (bool, int, "unknown"),
    (None, int, "no"),
    (None, int | None, "yes"),
    (int, int | None, "yes"),
    (int | None, int, "unknown"),
    (str | None, int, "no"),
    (int | str, int, "unknown"),
    (int | str, bytes | None, "unknown"),
    (int | float, str, "no"),
    (Any, int, "unknown"),
    (int, Any, "yes"),
    (int, object, "yes"),
    (Annotated[int, "note"], int, "yes"),
    (int, Annotated[int, Field(ge=3)], "unknown"),
    (Annotated[int, Field(ge=3)], int, "yes"),
    (str, Annotated[str, Field(max_length=3)], "unknown"),
    (Large, Small, "no"),
    (Large, Ignoring, "yes"),
    (Small, Large, "yes"),
    (Small, Needy, "no"),
    (Small, Texts, "no"),
    (Large, Strict, "no"),
    (Small, Strict, "yes"),
    (Loose, Small, "no"),
    (Loose, Texts, "no"),
    (Data, Small, "yes"),
    (Typed, Data, "yes"),
    (Partial, Small, "unknown"),
    (Texts, Converting, "unknown"),
    (Small, Coercing, "unknown"),
    (Small, dict[str, int], "yes"),
    (Small, dict[str, str], "no"),
    (dict[str, int], Small, "unknown"),
    (dict[str, str], Small, "no"),
    (dict, list, "no"),
    (list, list[int], "unknown"),
    (list[int], list, "yes"),
    (list[str], list[int], "no"),
    (list[int | None], list[int], "unknown"),
    (list[int], tuple[int, int], "unknown"),
    (list[str], tuple[int, int], "no"),
    (tuple[int, int], list[int], "yes"),
    (tuple[int, str], list[int], "no"),
    (tuple[int, str], tuple[int, str, int], "no"),
    (tuple[int, ...], list[int], "yes"),
    (tuple[int, int], Annotated[list[int], Field(min_length=3)], "no"),
    (Pair, tuple[int, str], "yes"),
    (set[int], list[int], "yes"),
    (list[int], set[int], "unknown"),
    (Numbers, list[int], "yes"),
    (list[str], Numbers, "no"),
    (Colour, str, "yes"),
    (str, Colour, "unknown"),
    (int, Colour, "no"),
    (Literal["red"], Colour, "yes"),
    (Literal["green"], Colour, "no"),
    (Literal["red", "green"], Colour, "unknown"),
    (dt.datetime, str, "yes"),
    (str, dt.datetime, "unknown"),
    (int, dt.datetime, "unknown"),
    (list, dt.datetime, "no"),
    (uuid.UUID, str, "yes"),
    (decimal.Decimal, float, "unknown"),
    (Tree, Tree, "yes"),
    (Tree, Branch, "yes"),
    (Tree, WrongTree, "no"),
    (Tree, list[int], "no"),
    (Cat, Pet, "yes"),
    (Pet, Cat, "unknown"),
    (Small, Pet, "no"),
    (Artifact, Artifact, "yes"),
    (str, Artifact, "no"),
    (Annotated[str, BeforeValidator(str)], int, "unknown"),
    (Annotated[int, PlainSerializer(str)], str, "unknown"),
]


@pytest.mark.parametrize(("source", "target", "fit"), VERDICTS)
def test_verdicts(source, target, fit):
    """Each kind of pair has its verdict; "no" only where it is certain."""
    assert fits(source, target) == fit


@pytest.mark.parametrize(
    "kind", [int, str, Small, list[Small], Tree, Pet, Data | None, dict[str, Any], set[str]]
)
def test_a_type_fits_itself(kind):
    """Whatever the type, its own values fit."""
    assert fits(kind, kind) == "yes"


def test_a_type_that_cannot_cross_is_not_judged():
    """Types without a JSON Schema are somebody else's error."""

    class Opaque:
        pass

    assert fits(Opaque, int) == fits(int, Opaque) == "unknown"
    assert missing_fields(Opaque, Small) == []


def test_missing_fields_are_named():
    """What the source certainly lacks is known by name; a source that may have more lacks nothing for certain."""
    assert missing_fields(Small, Needy) == ["z"]
    assert missing_fields(Loose, Needy) == []
    assert missing_fields(dict[str, int], Needy) == []


VALUES = {
    int: st.integers(-5, 5),
    bool: st.booleans(),
    float: st.floats(-5, 5).filter(lambda number: not number.is_integer()),
    str: st.sampled_from(["a", "red", "x y"]),
    None: st.none(),
    Small: st.builds(Small, x=st.integers(-5, 5)),
    Large: st.builds(Large, x=st.integers(-5, 5), y=st.sampled_from(["a", "b"])),
    Needy: st.builds(Needy, x=st.integers(-5, 5), z=st.integers(-5, 5)),
    Texts: st.builds(Texts, x=st.sampled_from(["a", "b"])),
    list[int]: st.lists(st.integers(-5, 5), min_size=1, max_size=3),
    list[str]: st.lists(st.sampled_from(["a", "b"]), min_size=1, max_size=3),
    tuple[int, str]: st.tuples(st.integers(-5, 5), st.sampled_from(["a", "b"])),
    dict[str, int]: st.dictionaries(st.sampled_from(["x", "z", "w"]), st.integers(-5, 5), min_size=1),
    Literal["red"]: st.just("red"),
    Colour: st.sampled_from(Colour),
    int | None: st.none() | st.integers(-5, 5),
    int | str: st.integers(-5, 5) | st.sampled_from(["a", "b"]),
    Strict: st.builds(Strict, x=st.integers(-5, 5)),
}


@given(data=st.data())
def test_verdicts_agree_with_what_values_do(data):
    """For any pair of types and any value of the first: "yes" is always accepted, "no" never."""
    kinds = list(VALUES)
    source, target = data.draw(st.sampled_from(kinds)), data.draw(st.sampled_from(kinds))
    written = schema_of(source).dump(data.draw(VALUES[source]))
    try:
        schema_of(target).load(written)
        accepted = True
    except InvalidPayload:
        accepted = False
    verdict = fits(source, target)
    assert verdict != ("no" if accepted else "yes"), (source, target, json.loads(written))
