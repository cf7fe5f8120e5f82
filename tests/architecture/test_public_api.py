"""The front door: what it offers is there, in order, and costs nothing until it is asked for."""

import subprocess
import sys

import segue


def test_exports_are_sorted_and_there() -> None:
    """Every name in `segue.__all__` can be imported, and the list is in order and without doubles."""
    assert list(segue.__all__) == sorted(set(segue.__all__))
    assert [name for name in segue.__all__ if not hasattr(segue, name)] == []
    assert set(segue.__all__) <= set(dir(segue))


def test_importing_is_lazy() -> None:
    """`import segue` alone brings in neither pydantic nor apsw nor any other package of ours."""
    code = "import sys, segue; print(*sorted(name for name in sys.modules if name.startswith((%s))))"
    code %= "'pydantic', 'apsw', 'rich', 'typer', 'asyncio', 'segue.'"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []


def test_an_unknown_name_is_an_attribute_error() -> None:
    """A misspelt export fails as it would on any module, naming the module and the name."""
    code = "import segue; segue.Hand0ff"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "AttributeError: module 'segue' has no attribute 'Hand0ff'" in done.stderr
