"""What no linter holds: how long files and functions may be, and that every file has somebody who needs it.

Each rule takes sources and yields sentences that name the place and the remedy; no sentence means tidy.
"""

import ast
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath

FUNCTION_LINES = 70
NAME_IN_STRING = re.compile(r"segue(?:\.\w+)+")


@dataclass(frozen=True)
class Source:
    """A Python file: where it is in the checkout, and what it says."""

    path: PurePosixPath
    text: str

    @classmethod
    def read_all(cls, root: Path, *folders: str) -> list["Source"]:
        """Read every Python file below the folders of the checkout."""
        paths = sorted(path for folder in folders for path in (root / folder).rglob("*.py"))
        return [cls(PurePosixPath(path.relative_to(root).as_posix()), path.read_text()) for path in paths]

    @cached_property
    def tree(self) -> ast.Module:
        """Return the syntax tree of the text."""
        return ast.parse(self.text, str(self.path))

    @property
    def module(self) -> str:
        """Return the dotted name: `segue.domain.graph`; a package goes by its folder's."""
        parts = self.path.with_suffix("").parts
        parts = parts[1:] if parts[0] == "src" else parts
        return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)

    @property
    def is_package(self) -> bool:
        """Whether the file is the front of a package."""
        return self.path.name == "__init__.py"


def long_files(sources: Iterable[Source], limit: int) -> Iterator[str]:
    """Yield the files that nobody reads in one go."""
    for source in sources:
        lines = len(source.text.splitlines())
        if lines > limit:
            yield f"{source.path} has {lines} lines, the limit is {limit}: move a part to a file of its own"


def long_functions(sources: Iterable[Source], limit: int = FUNCTION_LINES) -> Iterator[str]:
    """Yield the functions that do not fit on a screen, counted from the first decorator to the last line."""
    for source in sources:
        for node in ast.walk(source.tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                first = min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)])
                lines = (node.end_lineno or first) - first + 1
                if lines > limit:
                    yield f"{source.path}:{first}: {node.name} has {lines} lines, the limit is {limit}"


def orphans(
    sources: Iterable[Source], users: Iterable[Source] = (), faces: tuple[str, ...] = ()
) -> Iterator[str]:
    """Yield the modules that nobody names, neither in an import nor in a string such as "segue.demo:review".

    Only a module of a face, one that users import, may be named by `users` (tests, examples) alone.
    """
    sources = list(sources)
    inside = {name for source in sources for name in _names(source) if name != source.module}
    outside = {name for source in users for name in _names(source)}
    for source in sources:
        if source.is_package or source.path.name == "__main__.py":
            continue
        is_face = source.module.startswith(faces)
        if source.module not in (inside | outside if is_face else inside):
            yield f"{source.path} is imported by nobody: use it or delete it"


def _names(source: Source) -> Iterator[str]:
    """Yield the dotted names that a file imports, and those in its strings."""
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = _absolute(source, node)
            yield base
            yield from (f"{base}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield from NAME_IN_STRING.findall(node.value)


def _absolute(source: Source, node: ast.ImportFrom) -> str:
    """Return the module that an import is from, with leading dots resolved."""
    if not node.level:
        return node.module or ""
    package = source.module.split(".")
    package = package[: len(package) - node.level + source.is_package]
    return ".".join([*package, node.module] if node.module else package)
