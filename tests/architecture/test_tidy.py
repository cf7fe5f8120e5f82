"""The tree is tidy, and the rules that say so see what they are there to see."""

from pathlib import Path, PurePosixPath

import pytest

from tests.architecture.tidy import Source, long_files, long_functions, orphans

ROOT = Path(__file__).parents[2]
CODE = Source.read_all(ROOT, "src")
TESTS = Source.read_all(ROOT, "tests", "benchmarks")
USERS = Source.read_all(ROOT, "tests", "examples", "benchmarks")
FACES = ("segue.testing", "segue.demo")  # users import these: conformance suites, the tutorial


def test_files_are_short() -> None:
    """No file of the package is longer than 400 lines, none of the tests longer than 600."""
    assert [*long_files(CODE, 400), *long_files(TESTS, 600)] == []


def test_functions_fit_a_screen() -> None:
    """No function anywhere is longer than 70 lines."""
    assert list(long_functions(CODE + TESTS)) == []


def test_every_file_is_needed() -> None:
    """Every module of the package is imported by another, or is part of a face that users import."""
    assert list(orphans(CODE, USERS, FACES)) == []


def planted(path: str, text: str) -> Source:
    return Source(PurePosixPath(path), text)


def test_a_long_file_is_seen() -> None:
    """One line over the limit is reported, the limit itself is not."""
    fits, over = planted("src/segue/fits.py", "pass\n" * 10), planted("src/segue/over.py", "pass\n" * 11)
    assert [line.split()[0] for line in long_files([fits, over], 10)] == ["src/segue/over.py"]


@pytest.mark.parametrize("head", ["def run():\n", "async def run():\n", "class A:\n  def run(self):\n"])
def test_a_long_function_is_seen(head: str) -> None:
    """A function, a coroutine and a method are all counted; the limit itself is allowed."""
    fits = head + "    pass\n" * 9
    assert not list(long_functions([planted("src/segue/a.py", fits)], 10))
    [problem] = long_functions([planted("src/segue/a.py", fits + "    pass\n")], 10)
    assert "run has 11 lines" in problem


def test_a_decorator_counts() -> None:
    """The lines of a decorator are lines of the function."""
    source = planted("src/segue/a.py", "@cache(\n    1,\n)\ndef run():\n    pass\n")
    [problem] = long_functions([source], 4)
    assert problem.startswith("src/segue/a.py:1: run has 5 lines")


@pytest.mark.parametrize(
    "text",
    [
        "import segue.domain.graph\n",
        "from segue.domain import graph\n",
        "from segue.domain.graph import Graph\n",
        "from .domain import graph\n",
        "EXPORTS = {'Graph': 'segue.domain.graph'}\n",
        "def command():\n    from segue.domain.graph import Graph\n",
    ],
)
def test_every_way_to_name_a_module_counts(text: str) -> None:
    """An import of any form, and a name in a string, keep a module from being an orphan."""
    graph = planted("src/segue/domain/graph.py", "")
    assert not list(orphans([graph, planted("src/segue/__init__.py", text)]))


def test_an_orphan_is_seen() -> None:
    """A module that only itself or a test names is reported, unless it belongs to a face."""
    lost = planted("src/segue/domain/lost.py", "NAME = 'segue.domain.lost'\n")
    suite = planted("src/segue/testing/suite.py", "")
    test = planted("tests/test_all.py", "from segue.domain import lost\nfrom segue.testing import suite\n")
    [problem] = orphans([lost, suite], [test], ("segue.testing",))
    assert problem.startswith("src/segue/domain/lost.py is imported by nobody")
