"""The ranking is deterministic, weighs history, and lets no kind of finding drown the others."""

from itertools import permutations

from segue.demo.models import Churn, Finding, History, Kind, Unread
from segue.demo.ranking import merge_unread, rank_files

NO_HISTORY = History(reach="none", note="", commits=0, authors=0, months=[], files=[])


def finding(path: str, points: int, kind: Kind = "complexity", line: int = 1) -> Finding:
    """A finding of some kind."""
    return Finding(kind=kind, path=path, line=line, rule="R", message=f"{kind} in {path}", points=points)


def history(**commits: int) -> History:
    """A history in which each file was touched so often."""
    churn = [
        Churn(path=f"{name}.py", commits=count, fixes=0, authors=1, lines=1)
        for name, count in commits.items()
    ]
    return NO_HISTORY.model_copy(update={"reach": "full", "files": churn})


def test_order_does_not_matter() -> None:
    """However the findings arrive, the ranking is the same, and equal files are ordered by path."""
    findings = [
        finding("b.py", 20),
        finding("a.py", 20),
        finding("c.py", 40),
        finding("a.py", 5, "leftovers"),
    ]
    rankings = {str(rank_files(order, NO_HISTORY)) for order in permutations(findings)}
    assert len(rankings) == 1
    same = rank_files([finding("b.py", 20), finding("a.py", 20)], NO_HISTORY)
    assert [risk.path for risk in same.risks] == ["a.py", "b.py"]


def test_change_makes_risk() -> None:
    """Of two files with the same findings the one that changes more is the riskier, up to twice."""
    findings = [finding("calm.py", 100), finding("busy.py", 100)]
    ranked = rank_files(findings, history(busy=10))
    assert [risk.path for risk in ranked.risks] == ["busy.py", "calm.py"]
    assert ranked.risks[0].points == 2 * ranked.risks[1].points


def test_no_kind_drowns_the_others() -> None:
    """A thousand leftovers weigh less than a few functions that nobody can follow."""
    findings = [finding("messy.py", 2, "leftovers", line) for line in range(1_000)]
    findings += [finding("knotted.py", 60)]
    assert [risk.path for risk in rank_files(findings, NO_HISTORY).risks] == ["knotted.py", "messy.py"]


def test_more_findings_are_never_less() -> None:
    """A file with one finding more of a kind does not fall behind."""
    findings = [finding("a.py", 30, line=line) for line in range(1, 40)]
    rankings = [rank_files(findings[:count], NO_HISTORY) for count in range(1, len(findings))]
    points = [ranked.risks[0].points for ranked in rankings]
    assert points == sorted(points)


def test_reasons_name_the_heaviest() -> None:
    """The reasons name the heaviest finding of each kind, its line, and how many more there are."""
    findings = [finding("a.py", 10, line=3), finding("a.py", 30, line=9)]
    findings += [finding("a.py", 1, "leftovers", 0)]
    [risk] = rank_files(findings, history(a=4, b=4)).risks
    assert risk.reasons == [
        "complexity in a.py (line 9), and 1 more",
        "leftovers in a.py",
        "changed in 4 commits",
    ]


def test_the_whole_repository_is_not_ranked() -> None:
    """What concerns no single file is a finding and not a rank."""
    assert rank_files([finding(".", 10, "files")], NO_HISTORY).risks == []


def test_unread_is_merged() -> None:
    """A path that several analysers could not read is named once, whoever came first."""
    one, two = Unread(path="a", reason="x"), Unread(path="a", reason="b")
    assert merge_unread([[one], [two]]) == merge_unread([[two], [one]]) == [two]
