"""
Reading Python for names: what a file defines, and what of it nothing refers to.

vulture finds what its own file does not use. Whether anything else does is settled by the words of the whole
repository: a name that occurs nowhere but at its definition, in no code, no test, no document and no string,
is not called from here. What may be called from elsewhere all the same is left out: decorated names
(something registered them), methods of classes with bases (an override), and names that begin with a stem
that occurs as a word, as `visit_` in `getattr(self, "visit_" + kind)`.
"""

from __future__ import annotations

import ast
import warnings
from collections.abc import Iterator

from pydantic import BaseModel

from segue.errors import LoadError

try:
    from vulture.core import Item, Vulture
except ModuleNotFoundError as missing:
    raise LoadError(
        "the analysers of the demo are not installed", remedy="Install them: pip install 'segue[demo]'"
    ) from missing

_LEAST_CONFIDENCE = 60
_NAMED = frozenset({"function", "class", "method", "property", "variable"})
_PUBLIC = frozenset({"function", "class"})


class Definition(BaseModel):
    """A public function or class at the top of a file."""

    path: str
    line: int
    name: str


class Unused(BaseModel):
    """Something that nothing needs: `what` is `function`, `class` ... or `unreachable`, `name` says which."""

    path: str
    line: int
    what: str
    name: str


def find_definitions(path: str, source: str) -> list[Definition]:
    """The public functions and classes at the top of a file. Raises what `ast.parse` raises."""
    found = []
    for statement in _parse(source).body:
        if not isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            continue
        if not statement.name.startswith("_"):
            found.append(Definition(path=path, line=statement.lineno, name=statement.name))
    return found


def find_unused(path: str, source: str, once: frozenset[str], stems: frozenset[str]) -> list[Unused]:
    """What vulture calls unused and `once` and `stems` confirm. Raises what `ast.parse` raises."""
    tree = _parse(source)
    overriding = set(_lines_of_possible_overrides(tree))
    vulture = Vulture(ignore_decorators=["@*"])
    vulture.scan(source, filename=path)
    found = []
    for item in vulture.get_unused_code(min_confidence=_LEAST_CONFIDENCE):
        if item.typ == "unreachable_code":
            found.append(_unused(path, item, "unreachable", item.message))
        elif item.typ in _NAMED and item.name in once and item.first_lineno not in overriding:
            private = item.name.startswith("_")
            if (private or item.typ in _PUBLIC) and not _has_stem(item.name, stems):
                found.append(_unused(path, item, item.typ, item.name))
    return found


def _unused(path: str, item: Item, what: str, name: str) -> Unused:
    return Unused(path=path, line=item.first_lineno, what=what, name=name)


def _parse(source: str) -> ast.Module:
    with warnings.catch_warnings():
        warnings.simplefilter(
            "ignore"
        )  # what the reviewed file does wrong, such as "\d", is not said on our terminal
        return ast.parse(source)


def _lines_of_possible_overrides(tree: ast.Module) -> Iterator[int]:
    """Lines inside classes with bases, keywords or decorators: a framework may look for them."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef) and (node.bases or node.keywords or node.decorator_list):
            for statement in node.body:
                yield from range(statement.lineno, (statement.end_lineno or statement.lineno) + 1)


def _has_stem(name: str, stems: frozenset[str]) -> bool:
    return any(name[: at + 1] in stems for at, letter in enumerate(name[:-1]) if letter == "_" and at > 0)
