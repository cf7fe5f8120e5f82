"""What a file is: its language, and the role that it plays in a repository."""

from __future__ import annotations

import re
from pathlib import PurePosixPath

from segue.demo.models import Role

_CODE_SUFFIXES = {
    "Python": ".py .pyi", "Cython": ".pyx .pxd", "JavaScript": ".js .jsx .mjs .cjs",
    "TypeScript": ".ts .tsx", "Vue": ".vue", "Svelte": ".svelte", "Go": ".go", "Rust": ".rs", "C": ".c .h",
    "C++": ".cc .cpp .cxx .hpp .hh", "Java": ".java", "Kotlin": ".kt", "Scala": ".scala", "Ruby": ".rb",
    "PHP": ".php", "C#": ".cs", "Swift": ".swift", "Objective-C": ".m .mm", "Elixir": ".ex .exs",
    "Erlang": ".erl", "Haskell": ".hs", "OCaml": ".ml", "Lua": ".lua", "Perl": ".pl .pm", "R": ".r",
    "Julia": ".jl", "Dart": ".dart", "Zig": ".zig", "Nim": ".nim", "Shell": ".sh .bash", "SQL": ".sql",
    "Fortran": ".f90 .f", "Assembly": ".s .asm",
}  # fmt: skip
_TEXT_SUFFIXES = {
    "Markdown": ".md", "reStructuredText": ".rst", "plain text": ".txt", "HTML": ".html .htm",
    "CSS": ".css .scss", "JSON": ".json", "YAML": ".yaml .yml", "TOML": ".toml", "INI": ".ini .cfg",
    "XML": ".xml", "CSV": ".csv", "SVG": ".svg", "TeX": ".tex", "gettext": ".po",
    "Protocol Buffers": ".proto",
}  # fmt: skip
_BY_SUFFIX = {
    suffix: language
    for language, suffixes in (_CODE_SUFFIXES | _TEXT_SUFFIXES).items()
    for suffix in suffixes.split()
}
_BY_NAME = {"Makefile": "Make", "Dockerfile": "Docker", "Rakefile": "Ruby", "CMakeLists.txt": "CMake"}
CODE_LANGUAGES = frozenset(_CODE_SUFFIXES) | frozenset(_BY_NAME.values())

_VENDORED = frozenset(
    {"vendor", "vendored", "_vendor", "_vendored", "node_modules", "third_party", "bower_components"}
)
_TEST_FOLDERS = frozenset({"tests", "__tests__", "spec", "specs"})
_EXAMPLE_FOLDERS = frozenset(
    {"example", "examples", "samples", "benchmark", "benchmarks", "bench", "docs", "doc"}
)
_TEST_NAME = re.compile(r"(test_.*|.*_tests?|.*_spec|.*[.](test|spec)|conftest|tests|.*Tests?)$")
_GENERATED = re.compile(rb"(?i)do not edit|@generated|(?:auto-?|automatically )generated (?:by|from|file)")
_SHEBANG = re.compile(rb"#!.*\b(python|sh|bash|node|ruby)")
_SHEBANG_LANGUAGES = {
    b"python": "Python", b"sh": "Shell", b"bash": "Shell", b"node": "JavaScript", b"ruby": "Ruby",
}  # fmt: skip


def language_of(path: str, head: bytes) -> str:
    """The language by the file's name, or by its `#!` line; `other` where neither says."""
    name = PurePosixPath(path)
    suffix = name.suffix.lower()
    known = _BY_NAME.get(name.name) or _BY_SUFFIX.get(suffix)
    if known:
        return known
    shebang = _SHEBANG.match(head) if not suffix else None
    return _SHEBANG_LANGUAGES[shebang.group(1)] if shebang else "other"


def role_of(path: str, language: str, head: bytes) -> Role:
    """What the file is for. A NUL byte in `head`, its first kilobytes, means that it is not text."""
    parts = PurePosixPath(path).parts
    if b"\0" in head and language != "Python":
        return "binary"
    if not _VENDORED.isdisjoint(parts[:-1]):
        return "vendored"
    if language not in CODE_LANGUAGES:
        return "text"
    if _GENERATED.search(b"\n".join(head.split(b"\n", 6)[:6])):
        return "generated"
    if _is_test(parts, language):
        return "test"
    return "source" if _EXAMPLE_FOLDERS.isdisjoint(parts[:-1]) else "example"


def in_test_folder(path: str) -> bool:
    """Whether a folder on the way to the file says that it holds tests."""
    return not _TEST_FOLDERS.isdisjoint(PurePosixPath(path).parts[:-1])


def _is_test(parts: tuple[str, ...], language: str) -> bool:
    """By folder or by name. A folder `test` in a Python package is often part of the product."""
    folders = parts[:-1]
    if not _TEST_FOLDERS.isdisjoint(folders) or folders[:1] == ("test",):
        return True
    if "test" in folders and language != "Python":
        return True
    return _TEST_NAME.match(PurePosixPath(parts[-1]).stem) is not None
