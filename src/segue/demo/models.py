"""What the agents of the review hand to one another."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from segue import Artifact, payload

Role = Literal["source", "test", "example", "text", "vendored", "generated", "binary"]
Kind = Literal[
    "complexity", "missing tests", "missing docstrings", "dead code", "leftovers", "risky patterns", "files"
]
HistoryReach = Literal["full", "shallow", "single commit", "none"]


class Model(BaseModel):
    """The base of everything that crosses: immutable, and strict about names."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    @classmethod
    def __pydantic_init_subclass__(cls, **_: object) -> None:
        # In a store payloads go by their names: a `Report` of yours is not this one.
        payload(version="1", name=f"demo.{cls.__name__}")(cls)


class SourceFile(Model):
    """A file of the repository. `path` is relative to the repository, with `/` between its parts."""

    path: str
    language: str
    role: Role
    lines: int
    bytes: int


class Unread(Model):
    """Something that the review could not look into, and why. `path` is for people: odd bytes are escaped."""

    path: str
    reason: str


class Group(Model):
    """A package, or a few small ones: the files that one task of each analyser looks at."""

    name: str
    root: str
    """Absolute path of the repository on this machine."""
    files: list[SourceFile]

    def python(self, *roles: Role) -> list[SourceFile]:
        """The Python files that have one of these roles."""
        return [file for file in self.files if file.language == "Python" and file.role in roles]


class Language(Model):
    """How much of one language there is; `tests` of its `files` are test files."""

    name: str
    files: int
    tests: int
    lines: int


class Inventory(Model):
    """What is there to review."""

    root: str
    name: str
    commit: str | None
    """The commit that is checked out; None without git or before the first commit."""
    notes: list[str]
    """How the files were found, in sentences for the report."""
    files: int
    lines: int
    bytes: int
    roles: dict[Role, int]
    languages: list[Language]
    groups: list[Group]
    largest: list[SourceFile]
    """The largest files of any role, also those that are too large to be reviewed."""
    has_readme: bool
    unread: list[Unread]


class Finding(Model):
    """One thing worth a person's look. `points` says how much it weighs, in tenths of a point of risk."""

    kind: Kind
    path: str
    line: int
    """Counted from 1; 0 means the file as a whole."""
    rule: str
    message: str
    points: int = Field(ge=0)


class Evidence(Model):
    """What one analyser found in one group. The findings themselves stay in the artifact store."""

    kind: Kind
    group: str
    examined: int
    """Files that were looked at."""
    findings: int
    points: int
    unread: list[Unread]
    everything: Artifact
    """JSON: the list of all findings."""


class Vocabulary(Model):
    """Every word of the repository, so that an analyser of one package can ask about all the others."""

    files: int
    words: int
    complete: bool
    """False if the repository was too large to read in full: then nothing is called unused."""
    has_tests: bool
    index: Artifact
    """JSON of `segue.demo.scan.WordIndex`."""


class Churn(Model):
    """How often history touched a file; `fixes` are commits whose subject speaks of a repair."""

    path: str
    commits: int
    fixes: int
    authors: int
    lines: int
    """Lines added and removed."""


class Month(Model):
    """Commits of one calendar month, named like `2025-03`."""

    name: str
    commits: int


class History(Model):
    """What git remembers, or why it remembers nothing."""

    reach: HistoryReach
    note: str
    commits: int
    authors: int
    months: list[Month]
    files: list[Churn]


class Risk(Model):
    """A file and how much it asks for attention. All points are in tenths."""

    path: str
    points: int
    parts: dict[Kind, int]
    """What the findings of each kind add, before history is taken into account."""
    commits: int
    fixes: int
    reasons: list[str]


class KindTotal(Model):
    """All findings of one kind."""

    kind: Kind
    examined: int
    findings: int
    points: int


class Ranking(Model):
    """The files of the repository by risk, the riskiest first; ties are broken by path."""

    risks: list[Risk]
    ranked: int
    """Files with any finding; `risks` holds the first of them."""
    totals: list[KindTotal]
    unread: list[Unread]
    findings: Artifact
    """JSON of `segue.demo.ranking.FindingsFile`, the future `findings.json`."""


class Check(Model):
    """One question to the evidence. `share` is 0 to 1, `weight` its part of the confidence."""

    question: str
    share: float
    weight: float
    answer: str


class Review(Model):
    """How far the ranking can be trusted."""

    checks: list[Check]
    caveats: list[str]


class Report(Model):
    """Where the report is, and its first lines."""

    folder: str
    files: list[str]
    headline: str
    riskiest: list[str]
    confidence: float
