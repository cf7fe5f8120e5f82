"""The review as a run: real findings, the same bytes every time, whatever is killed on the way."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from segue import Segue
from segue.app.reading import find_run, read_view
from segue.app.views import RunView
from segue.demo.crash import WorkerError, compare, crash_and_resume
from segue.demo.models import Report
from segue.demo.publishing import add_run
from segue.demo.workflow import review

from .conftest import Repository

BRANCHES = "".join(f"    if n == {n}:\n        return {n}\n" for n in range(14))
FILES = {
    "README.md": "# Shop\n",
    "shop/__init__.py": '"""A shop."""\n',
    "shop/prices.py": f"def price(n):\n{BRANCHES}    return 0\n\n\ndef _gone():\n    pass\n",
    "shop/orders/__init__.py": "",
    "shop/orders/queue.py": "import pickle\n\n\ndef read(data):\n    return pickle.loads(data)\n",
    "shop/broken.py": "def broken(:\n",
    "tests/test_prices.py": "from shop.prices import price\n\n\ndef test_price():\n    assert price(1) == 1\n",
    "web/app.js": "// TO" + "DO: make it work\nlet a = 1;\n",
}


@pytest.fixture
def shop(repository: Repository) -> Repository:
    """A small repository with one finding of most kinds, and some history."""
    repository.commit("first", FILES)
    repository.commit("Fix a bug in prices", {"shop/prices.py": FILES["shop/prices.py"] + "\n\nLIMIT = 3\n"})
    return repository


async def reviewed(repository: Path, folder: Path, store: Path) -> tuple[Report, RunView]:
    """Run the review and read what the store says of it."""
    async with Segue(store, durability="fast") as segue:
        report = await segue.with_(key="review").run(review, str(repository), str(folder))
        record = await find_run(segue.host.store, "review")
        return report, await read_view(segue.host.store, record, segue.host.clock.wall())


async def test_the_review_finds_what_is_there(shop: Repository, tmp_path: Path) -> None:
    """A finding of every planted kind is in the file, the riskiest is named, and what could not be read is said."""
    report, run = await reviewed(shop.root, tmp_path / "out", tmp_path / "segue.db")
    assert run.state == "complete"
    assert report.riskiest[0] == "shop/orders/queue.py"
    whole = json.loads((tmp_path / "out" / "findings.json").read_text())
    found = {(finding["kind"], finding["path"]) for finding in whole["findings"]}
    assert {
        ("complexity", "shop/prices.py"),
        ("dead code", "shop/prices.py"),
        ("missing tests", "shop/orders/queue.py"),
        ("missing docstrings", "shop/orders/queue.py"),
        ("risky patterns", "shop/orders/queue.py"),
        ("leftovers", "web/app.js"),
    } <= found
    assert ("missing tests", "shop/prices.py") not in found
    assert [item["path"] for item in whole["unread"]] == ["shop/broken.py"]
    assert 0 < report.confidence < 1
    assert "shop/prices.py" in (tmp_path / "out" / "report.md").read_text()


async def test_the_reviewer_gives_reasons(shop: Repository, tmp_path: Path) -> None:
    """Confidence and decisions cross with the hand-offs, and the writer started before the ranking was there."""
    _, run = await reviewed(shop.root, tmp_path / "out", tmp_path / "segue.db")
    tasks = {task.task: task for task in run.tasks}
    ranking, check = tasks["rank"].handoff, tasks["check"].handoff
    assert ranking is not None
    assert check is not None
    assert any("History: all 2 commits." in decision for decision in ranking.decisions)
    assert check.confidence is not None
    started = min(span.started_at for span in run.spans if span.task == "write")
    assert started < ranking.completed_at
    crossings = {(edge.source, edge.target): edge.crossing for edge in run.edges}
    assert crossings["rank", "write"] == "later"
    assert crossings["history", "check"] == "reference"


async def test_the_page_shows_the_run(shop: Repository, tmp_path: Path) -> None:
    """After the run the page has both pictures with every node of the graph, and can be redone."""
    _, run = await reviewed(shop.root, tmp_path / "out", tmp_path / "segue.db")
    add_run(tmp_path / "out", run)
    once = (tmp_path / "out" / "report.html").read_text()
    add_run(tmp_path / "out", run)
    assert (tmp_path / "out" / "report.html").read_text() == once
    assert "How the agents worked" in once
    assert all(f">{task.node}<" in once for task in run.tasks)
    assert [path.name for path in sorted((tmp_path / "out").iterdir())] == [
        "findings.json",
        "report.html",
        "report.md",
    ]


async def test_the_same_commit_gives_the_same_bytes(shop: Repository, tmp_path: Path) -> None:
    """Two runs in two stores leave the same findings and the same report, byte for byte."""
    for name in ("one", "two"):
        await reviewed(shop.root, tmp_path / name, tmp_path / f"{name}.db")
    for file in ("findings.json", "report.md", "report.html"):
        assert (tmp_path / "one" / file).read_bytes() == (tmp_path / "two" / file).read_bytes()


async def test_nothing_of_this_machine_is_in_the_findings(shop: Repository, tmp_path: Path) -> None:
    """The file has no absolute path, so that two machines can compare theirs."""
    await reviewed(shop.root, tmp_path / "out", tmp_path / "segue.db")
    assert str(tmp_path) not in (tmp_path / "out" / "findings.json").read_text()


async def test_an_empty_repository_has_a_report(repository: Repository, tmp_path: Path) -> None:
    """With nothing to review the run completes and says so."""
    report, run = await reviewed(repository.root, tmp_path / "out", tmp_path / "segue.db")
    assert run.state == "complete"
    assert report.headline == "There is no file to review."


async def test_a_folder_without_git_has_a_report(tmp_path: Path) -> None:
    """Without git the report is made of what is there, and says what is missing."""
    (tmp_path / "plain").mkdir()
    (tmp_path / "plain" / "a.py").write_text(FILES["shop/prices.py"])
    report, _ = await reviewed(tmp_path / "plain", tmp_path / "out", tmp_path / "segue.db")
    assert report.riskiest == ["a.py"]
    text = (tmp_path / "out" / "report.md").read_text()
    assert "without git" in text
    assert "No history" in text


@pytest.mark.parametrize("kill_after", [1, 6, 12])
async def test_a_killed_worker_changes_nothing(shop: Repository, tmp_path: Path, kill_after: int) -> None:
    """After SIGKILL every accepted hand-off is kept as it was, and the findings are the same bytes."""
    await reviewed(shop.root, tmp_path / "whole", tmp_path / "whole.db")
    async with Segue(tmp_path / "segue.db", worker=False) as watcher:
        story = await crash_and_resume(
            watcher, str(shop.root), str(tmp_path / "out"), "crash", kill_after=kill_after
        )
    assert story.run.state == "complete"
    assert len(story.killed.handed_over) >= kill_after
    assert story.comparison.broken == ()
    assert set(story.comparison.kept) == set(story.killed.handed_over)
    assert set(story.comparison.again) <= set(story.killed.running)
    tasks = [task for task in story.run.tasks if task.state != "expanded"]
    assert all(task.handoff is not None and task.handoff.version == 1 for task in tasks)
    for file in ("findings.json", "report.md"):
        assert (tmp_path / "whole" / file).read_bytes() == (tmp_path / "out" / file).read_bytes()


@pytest.mark.long
@pytest.mark.parametrize("kill_after", [1 + number * 33 // 20 for number in range(20)])
async def test_any_moment_will_do(shop: Repository, tmp_path: Path, kill_after: int) -> None:
    """The same at twenty moments from the first hand-off to the last but a few."""
    await test_a_killed_worker_changes_nothing(shop, tmp_path, kill_after)


async def test_a_task_that_ran_twice_is_seen(shop: Repository, tmp_path: Path) -> None:
    """The comparison names a task whose accepted hand-off was replaced, claimed again, or is gone."""
    _, run = await reviewed(shop.root, tmp_path / "out", tmp_path / "segue.db")
    assert compare(run, run).broken == ()
    for change in ({"epoch": 2}, {"handoff": None}):
        tasks = tuple(replace(task, **change) if task.task == "rank" else task for task in run.tasks)
        assert compare(run, replace(run, tasks=tasks)).broken == ("rank",)


async def test_a_worker_that_cannot_start_is_an_error(tmp_path: Path) -> None:
    """If the worker ends by itself its own words are in the error."""
    async with Segue(tmp_path / "segue.db", worker=False) as watcher:
        with pytest.raises(WorkerError, match="is not a folder"):
            await crash_and_resume(
                watcher, str(tmp_path / "missing"), str(tmp_path / "out"), "crash", kill_after=2
            )
