# ruff: noqa: E501
"""Changes of a payload, each as two classes, with values that show what the change breaks."""

from __future__ import annotations

from typing import Any, NamedTuple

HEAD = """\
from typing import Any, Literal
from pydantic import BaseModel, ConfigDict, Field
from typing_extensions import NotRequired, TypedDict
from segue import payload, upcast
"""

PERSON = """
class Person(BaseModel):
    name: str
"""

PERSON_WITH_MAIL = """
class Person(BaseModel):
    name: str
    mail: str
"""


class Changed(NamedTuple):
    """
    The fields of `Found` before and after, a value of each in JSON, and an upcaster's body over `data`.

    `breaks_readers` says that the new class refuses the old value, `breaks_writers` that the old class refuses the new
    one; `field` is where. `before` and `after` are classes that stand above.
    """

    name: str
    old: str
    new: str
    old_value: dict[str, Any]
    new_value: dict[str, Any]
    upcast: str
    breaks_readers: bool
    breaks_writers: bool
    field: str
    before: str = ""
    after: str = ""
    base: str = "BaseModel"

    def source(self, which: str, version: str, *, with_upcaster: bool = False) -> str:
        """The module with the old or the new class, under a version."""
        above, fields = (self.before, self.old) if which == "old" else (self.after, self.new)
        lines = "".join(f"    {line}\n" for line in fields.split("\n"))
        text = f'{HEAD}{above}\n\n@payload(version="{version}")\nclass Found({self.base}):\n{lines}'
        if with_upcaster:
            text += f'\n\n@upcast(Found, "1", "{version}")\ndef up(data: Any) -> Any:\n    {self.upcast}\n    return data\n'
        return text


CHANGES = [
    Changed("an optional field added", "a: int", "a: int\nb: str = ''", {"a": 1}, {"a": 1, "b": "x"}, "data['b'] = ''", False, True, "b"),
    Changed("a nullable field added", "a: int", "a: int\nb: str | None = None", {"a": 1}, {"a": 1, "b": None}, "data['b'] = None", False, True, "b"),
    Changed("a required field added", "a: int", "a: int\nb: str", {"a": 1}, {"a": 1, "b": "x"}, "data['b'] = '?'", True, True, "b"),
    Changed("a field removed", "a: int\nb: str = ''", "a: int", {"a": 1, "b": "x"}, {"a": 1}, "del data['b']", True, False, "b"),
    Changed("a required field removed", "a: int\nb: str", "a: int", {"a": 1, "b": "x"}, {"a": 1}, "del data['b']", True, True, "b"),
    Changed("a field renamed", "a: int", "number: int", {"a": 1}, {"number": 1}, "data['number'] = data.pop('a')", True, True, "number"),
    Changed("a type changed", "a: int", "a: str", {"a": 1}, {"a": "x"}, "data['a'] = str(data['a'])", True, True, "a"),
    Changed("a type widened", "a: int", "a: int | str", {"a": 1}, {"a": "x"}, "pass", False, True, "a"),
    Changed("a type narrowed", "a: int | str", "a: int", {"a": "x"}, {"a": 1}, "data['a'] = len(str(data['a']))", True, False, "a"),
    Changed("an integer made a number", "a: int", "a: float", {"a": 1}, {"a": 1.5}, "pass", False, True, "a"),
    Changed("made nullable", "a: int", "a: int | None", {"a": 1}, {"a": None}, "pass", False, True, "a"),
    Changed("null refused", "a: int | None", "a: int", {"a": None}, {"a": 1}, "data['a'] = data['a'] or 0", True, False, "a"),
    Changed("an enum widened", "a: Literal['x', 'y']", "a: Literal['x', 'y', 'z']", {"a": "x"}, {"a": "z"}, "pass", False, True, "a"),
    Changed("an enum narrowed", "a: Literal['x', 'y']", "a: Literal['x']", {"a": "y"}, {"a": "x"}, "data['a'] = 'x'", True, False, "a"),
    Changed("a text made an enum", "a: str", "a: Literal['x', 'y']", {"a": "z"}, {"a": "x"}, "data['a'] = 'x'", True, False, "a"),
    Changed("a list made a map", "a: list[int]", "a: dict[str, int]", {"a": [1]}, {"a": {"0": 1}}, "data['a'] = {str(n): e for n, e in enumerate(data['a'])}", True, True, "a"),
    Changed("one made several", "a: int", "a: list[int]", {"a": 1}, {"a": [1]}, "data['a'] = [data['a']]", True, True, "a"),
    Changed("the elements of a list changed", "a: list[int]", "a: list[str]", {"a": [1]}, {"a": ["x"]}, "data['a'] = [str(e) for e in data['a']]", True, True, "a[]"),
    Changed("the values of a map changed", "a: dict[str, int]", "a: dict[str, list[int]]", {"a": {"k": 1}}, {"a": {"k": [1]}}, "data['a'] = {k: [v] for k, v in data['a'].items()}", True, True, "a{}"),
    Changed("a limit set", "a: int", "a: int = Field(ge=0)", {"a": -1}, {"a": 1}, "data['a'] = abs(data['a'])", True, False, "a"),
    Changed("a limit lifted", "a: int = Field(ge=0)", "a: int", {"a": 1}, {"a": -1}, "pass", False, True, "a"),
    Changed("a limit loosened", "a: str = Field(max_length=3)", "a: str = Field(max_length=9)", {"a": "abc"}, {"a": "abcdefg"}, "pass", False, True, "a"),
    Changed("a format required", "a: str", "a: str = Field(pattern='^[a-z]+$')", {"a": "A"}, {"a": "a"}, "data['a'] = data['a'].lower()", True, False, "a"),
    Changed("an optional field made required", "a: int = 0", "a: int", {"a": 1}, {"a": 1}, "pass", False, False, "a"),
    Changed("a required field made optional", "a: int", "a: int = 0", {"a": 1}, {"a": 1}, "pass", False, False, "a"),
    Changed("a key of a dict that may be missing made required", "a: int\nb: NotRequired[int]", "a: int\nb: int", {"a": 1}, {"a": 1, "b": 2}, "data.setdefault('b', 0)", True, False, "b", base="TypedDict"),
    Changed("a model taken for a text", "a: str", "a: Person", {"a": "Ada"}, {"a": {"name": "Ada"}}, "data['a'] = {'name': data['a']}", True, True, "a", after=PERSON),
    Changed("other fields refused that were kept", "model_config = ConfigDict(extra='allow')\na: int", "a: int", {"a": 1, "z": 2}, {"a": 1}, "data.pop('z', None)", True, False, ""),
]  # fmt: skip
