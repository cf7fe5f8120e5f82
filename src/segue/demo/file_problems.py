"""What the files say of themselves, in any language: too long, too large, not tested, not introduced."""

from __future__ import annotations

from segue.demo.languages import CODE_LANGUAGES
from segue.demo.models import Finding, Inventory, Language, SourceFile

MANY_LINES = 1_000
LARGE_BINARY_BYTES = 1_000_000
_UNTESTED_MATTERS_FROM_LINES = 100
_NEVER_TESTED = frozenset({"Make", "Docker", "CMake", "SQL", "Shell"})
WHOLE_REPOSITORY = "."


def find_file_problems(inventory: Inventory) -> list[Finding]:
    """Findings about files as such, sorted by path; `.` stands for the repository as a whole."""
    findings = [
        _finding(
            file.path, "long", f"{file.lines:,} lines in one file", min((file.lines - MANY_LINES) // 50, 40)
        )
        for group in inventory.groups
        for file in group.files
        if file.role == "source" and file.language in CODE_LANGUAGES and file.lines > MANY_LINES
    ]
    findings += [_large(file) for file in inventory.largest if _is_large_binary(file)]
    findings += [_untested(language) for language in inventory.languages if _is_untested(language)]
    if inventory.files and not inventory.has_readme:
        findings.append(_finding(WHOLE_REPOSITORY, "no README", "No README says what this is", 0))
    return sorted(findings, key=lambda finding: (finding.path, finding.rule, finding.message))


def _finding(path: str, rule: str, message: str, points: int) -> Finding:
    return Finding(kind="files", path=path, line=0, rule=rule, message=message, points=points)


def _is_large_binary(file: SourceFile) -> bool:
    return file.role == "binary" and file.bytes > LARGE_BINARY_BYTES


def _large(file: SourceFile) -> Finding:
    megabytes = file.bytes / 1_000_000
    return _finding(file.path, "large binary", f"a binary of {megabytes:.1f} MB", min(int(megabytes), 20))


def _is_untested(language: Language) -> bool:
    if language.name in _NEVER_TESTED or language.lines < _UNTESTED_MATTERS_FROM_LINES:
        return False
    return language.tests * 50 < language.files


def _untested(language: Language) -> Finding:
    tests = {0: "no test file", 1: "a single test file"}.get(language.tests, f"{language.tests} test files")
    others = language.files - language.tests
    message = (
        f"{language.name}: {tests} beside {others:,} other files; if there are tests, they live elsewhere"
    )
    return _finding(WHOLE_REPOSITORY, "no tests", message, 0)
