"""Each analyser finds what is planted and does not report it where it is not."""

from pathlib import Path

import pytest

from segue.demo.analysers import (
    find_complexity,
    find_dead_code,
    find_leftovers,
    find_missing_docstrings,
    find_missing_tests,
    find_risky_patterns,
)
from segue.demo.file_problems import find_file_problems
from segue.demo.inventory import take_inventory
from segue.demo.models import Finding, Group
from segue.demo.scan import Question, WordIndex
from segue.demo.tools import ToolError, lint, scan

BRANCHES = "".join(f"    if n == {n}:\n        return {n}\n" for n in range(14))
BRANCHY = f"def branchy(n):\n{BRANCHES}    return 0\n"


def grouped(folder: Path, **files: str) -> Group:
    """Write files (`pkg__a` is pkg/a.py) and put them in one group."""
    for name, text in files.items():
        path = folder / f"{name.replace('__', '/')}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    groups = take_inventory(str(folder)).groups
    return Group(name=".", root=str(folder), files=[file for group in groups for file in group.files])


async def index_of(group: Group) -> WordIndex:
    """The words of all files of the group."""
    answer = await scan("words", Question(root=group.root, files=group.files))
    assert answer.index is not None
    return answer.index


def places(findings: list[Finding]) -> list[tuple[str, int]]:
    """Path and line of each finding."""
    return [(finding.path, finding.line) for finding in findings]


async def test_complexity(tmp_path: Path) -> None:
    """A function with fifteen paths is found with its value; a plain one is not."""
    group = grouped(tmp_path, knot=BRANCHY, plain="def plain(n):\n    return n\n")
    found = await find_complexity(group)
    [finding] = found.findings
    assert (finding.path, finding.line, finding.points) == ("knot.py", 1, 10)
    assert finding.message == "branchy has a cyclomatic complexity of 15"
    assert found.examined == 2


async def test_configuration_of_the_reviewed_is_not_used(tmp_path: Path) -> None:
    """What the reviewed repository tells ruff changes nothing."""
    (tmp_path / "ruff.toml").write_text('exclude = ["*.py"]\n[lint.mccabe]\nmax-complexity = 99\n')
    assert len((await find_complexity(grouped(tmp_path, knot=BRANCHY))).findings) == 1


async def test_missing_docstrings(tmp_path: Path) -> None:
    """A file whose public names say nothing is one finding; documented, empty and test files are none."""
    group = grouped(
        tmp_path,
        bare="class A:\n    def m(self):\n        pass\n\ndef f():\n    pass\n",
        told='"""Told."""\n\ndef f():\n    """Told."""\n\ndef _private():\n    pass\n',
        empty="",
        tests__test_bare="def test_it():\n    pass\n",
    )
    found = await find_missing_docstrings(group)
    [finding] = found.findings
    assert finding.path == "bare.py"
    assert finding.message == "no docstring: 1 class, 1 function, 1 method, the module"


async def test_risky_patterns(tmp_path: Path) -> None:
    """An eval, a swallowed exception and an undefined name are found, in sources and not in tests."""
    risky = (
        "def f(text):\n    try:\n        return eval(text)\n    except Exception:\n        pass\n"
        "    nowhere()\n"
    )
    fine = "def f(text):\n    return int(text)\n"
    group = grouped(tmp_path, risky=risky, fine=fine, tests__test_risky=risky)
    found = await find_risky_patterns(group)
    assert places(found.findings) == [("risky.py", 3), ("risky.py", 4), ("risky.py", 6)]
    assert found.findings[2].message == "uses a name that is not defined: nowhere"


async def test_secrets_and_conflicts(tmp_path: Path) -> None:
    """A private key in any text is found and not repeated; the same key among tests is a fixture."""
    key = "-----BEGIN " + "PRIVATE KEY-----\nMIIE\n"
    (tmp_path / "deploy.pem").write_text(key)
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests" / "key.pem").write_text(key)
    (tmp_path / "half.js").write_text("let a = 1;\n<<<<<<< HEAD\n")
    (tmp_path / "merging.md").write_text("<<<<<<< HEAD\n")
    found = await find_risky_patterns(grouped(tmp_path))
    assert places(found.findings) == [("deploy.pem", 1), ("half.js", 2)]
    assert "MIIE" not in str(found)


async def test_leftovers(tmp_path: Path) -> None:
    """An unused import, a TODO, a debugger and code in a comment are found, and exports are not."""
    left = "import os\n\n# TO" + "DO: finish\nbreakpoint()\n# x = call(1)\n"
    group = grouped(
        tmp_path,
        left=left,
        pkg__init="x = 1\n",
        script="def f():\n    return 1\n\n\nif __name__ == '__main__':\n    print(f())\n",
        noisy="def f():\n    print(1)\n",
        kept="import os  # noqa: F401\n",
    )
    (tmp_path / "pkg" / "__init__.py").write_text("from pkg.init import x\n")
    (tmp_path / "other.js").write_text("// FIX" + "ME: later\nlet todo = 1;\n")
    found = await find_leftovers(grouped(tmp_path))
    assert [(finding.path, finding.rule) for finding in found.findings] == [
        ("left.py", "F401"),
        ("left.py", "FIX002"),
        ("left.py", "T100"),
        ("left.py", "ERA001"),
        ("noisy.py", "T201"),
        ("other.js", "FIXME"),
    ]
    assert len(group.files) == 5


async def test_dead_code(tmp_path: Path) -> None:
    """What nothing mentions is found; a use in another package, a string or a document saves it."""
    group = grouped(
        tmp_path,
        a__dead="def _gone():\n    pass\n\ndef _called_elsewhere():\n    pass\n\n"
        "def _in_string():\n    pass\n",
        b__user="from a.dead import _called_elsewhere\n\n_called_elsewhere()\nNAME = '_in_string'\n",
        c__stop="def f():\n    return 1\n    f()\n",
        tests__test_c="from c.stop import f\n\nassert f() == 1\n",
    )
    found = await find_dead_code(group, await index_of(group))
    assert [(finding.path, finding.line, finding.message) for finding in found.findings] == [
        ("a/dead.py", 1, "function _gone: nothing in the repository mentions it"),
        ("c/stop.py", 3, "unreachable code after 'return'"),
    ]


async def test_dead_code_spares_what_frameworks_call(tmp_path: Path) -> None:
    """Decorated names, methods of derived classes and names made of a stem may be called from elsewhere."""
    group = grouped(
        tmp_path,
        app="import web\n\n@web.route('/')\ndef _handler():\n    pass\n\n"
        "class _View(web.View):\n    def _hook(self):\n        pass\n\nprint(_View)\n\n"
        "def _make_thing():\n    pass\n\ndef make(kind):\n    return globals()['_make_' + kind]\n\n"
        "make('thing')\n\ndef _apply_tax():\n    pass\n\ndef apply(kind):\n"
        "    return web.dispatch('_apply', kind)\n\napply('tax')\n",
    )
    assert (await find_dead_code(group, await index_of(group))).findings == []


async def test_public_names_need_tests_to_be_called_dead(tmp_path: Path) -> None:
    """Without tests a public name that nothing mentions may well be the API: it is not reported."""
    group = grouped(tmp_path, api="def offered():\n    pass\n")
    assert (await find_dead_code(group, await index_of(group))).findings == []
    group = grouped(tmp_path, api="def offered():\n    pass\n", test_other="def test_it():\n    pass\n")
    [finding] = (await find_dead_code(group, await index_of(group))).findings
    assert finding.message == "public function offered: nothing in the repository mentions it"


async def test_missing_tests(tmp_path: Path) -> None:
    """A file that no test mentions is found; one that a test uses and one without public names are not."""
    group = grouped(
        tmp_path,
        tested="class Known:\n    pass\n",
        untested="class Unknown:\n    pass\n\ndef other():\n    pass\n",
        private="def _helper():\n    pass\n",
        tests__test_tested="from tested import Known\n\ndef test_known():\n    assert Known()\n",
    )
    [finding] = (await find_missing_tests(group, await index_of(group))).findings
    assert finding.path == "untested.py"
    assert finding.message == "no test mentions its 2 public names (Unknown, other)"


async def test_missing_tests_of_a_whole_repository(tmp_path: Path) -> None:
    """A repository without tests is one finding about the whole, not one for every file."""
    group = grouped(tmp_path, one="def f():\n    pass\n" * 60, two="def g():\n    pass\n")
    assert (await find_missing_tests(group, await index_of(group))).findings == []
    findings = find_file_problems(take_inventory(str(tmp_path)))
    assert [(finding.path, finding.rule) for finding in findings] == [(".", "no README"), (".", "no tests")]


async def test_file_problems(tmp_path: Path) -> None:
    """A file of thousands of lines and a large binary are found; ordinary ones are not."""
    group = grouped(tmp_path, long="x = 1\n" * 2_000, short="x = 1\n", test_all="import long\n")
    (tmp_path / "blob.bin").write_bytes(b"\0" * 3_000_000)
    (tmp_path / "README.md").write_text("x\n")
    findings = find_file_problems(take_inventory(str(tmp_path)))
    assert [(finding.path, finding.message) for finding in findings] == [
        ("blob.bin", "a binary of 3.0 MB"),
        ("long.py", "2,000 lines in one file"),
    ]
    assert len(group.files) == 3


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"def f(:\n", "does not parse: Expected"),
        (b"x = 1\0\n", "does not parse"),
        (b"# -*- coding: latin-1 -*-\nx = '\xe9'\n", "UTF-8"),
        (b"print 'two'\n", "does not parse"),
    ],
)
async def test_what_does_not_parse_is_said(tmp_path: Path, content: bytes, reason: str) -> None:
    """A file that the analyser cannot read is named with the reason, and the others are still analysed."""
    (tmp_path / "broken.py").write_bytes(content)
    found = await find_complexity(grouped(tmp_path, knot=BRANCHY))
    assert places(found.findings) == [("knot.py", 1)]
    [item] = found.unread
    assert item.path == "broken.py"
    assert reason in item.reason


async def test_encodings_are_honoured_where_python_reads(tmp_path: Path) -> None:
    """A file in Latin-1 that says so is searched for names like any other."""
    (tmp_path / "latin.py").write_bytes(b"# -*- coding: latin-1 -*-\n# \xe9\ndef _gone():\n    pass\n")
    group = grouped(tmp_path)
    found = await find_dead_code(group, await index_of(group))
    assert places(found.findings) == [("latin.py", 3)]


async def test_nesting_that_breaks_the_parser(tmp_path: Path) -> None:
    """Thousands of nested brackets are named as unread, and the file beside them is still searched."""
    group = grouped(tmp_path, deep=f"x = {'(' * 3_000}1{')' * 3_000}\n", dead="def _gone():\n    pass\n")
    found = await find_dead_code(group, await index_of(group))
    assert places(found.findings) == [("dead.py", 1)]
    assert [item.path for item in found.unread] == ["deep.py"]


async def test_hostile_names_reach_the_analysers(tmp_path: Path) -> None:
    """Names with spaces, line ends and dashes are analysed, not taken for options."""
    names = ["a b.py", "line\nend.py", "--fix.py", "@args.py"]
    for name in names:
        (tmp_path / name).write_text(BRANCHY)
    group = grouped(tmp_path)
    assert {path for path, _ in places((await find_complexity(group)).findings)} == set(names)
    assert (await find_dead_code(group, await index_of(group))).unread == []


async def test_a_broken_tool_is_an_error(tmp_path: Path) -> None:
    """A rule that ruff does not know ends in an error with ruff's own words."""
    group = grouped(tmp_path, plain="x = 1\n")
    with pytest.raises(ToolError, match="ruff ended with status 2"):
        await lint(group.root, group.files, ["NOSUCH"])
