"""Workers on one file, killed and stopped at random."""

import asyncio
from pathlib import Path

import pytest

from segue.testing.chaos.storm import StormPlan, StormReport, run_storm


def storm(plan: StormPlan, folder: Path) -> StormReport:
    said: list[str] = []
    return asyncio.run(run_storm(plan, folder, said.append))


@pytest.mark.timeout(600)  # of its processes two share a core, and with xdist other tests do too
def test_a_short_storm(tmp_path: Path) -> None:
    """Four workers, one killed or stopped four times a second: nothing is lost, doubled or stuck."""
    report = storm(StormPlan(4, 250, 5.0, 0.25, 1.0, "durable", 7), tmp_path)
    assert report.kills >= 5
    assert report.tasks >= 250
    assert not any(report.verdict.values()), report.verdict


@pytest.mark.long
@pytest.mark.timeout(900)
def test_five_minutes_of_storm(tmp_path: Path) -> None:
    """Eight workers for five minutes and at least 5,000 tasks, a kill every 500 ms."""
    report = storm(StormPlan(8, 5_000, 300.0, 0.5, 2.0, "durable", 11), tmp_path)
    assert report.kills >= 400
    assert report.tasks >= 5_000
    assert not any(report.verdict.values()), report.verdict
