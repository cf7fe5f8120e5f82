"""Every workload runs on Segue in tiny sizes; how fast is for scripts/bench to say."""

import json

import pytest

from benchmarks import goals, parts, process_rows, scale, segue_rows, workloads
from benchmarks.__main__ import main


@pytest.mark.parametrize("durability", ["fast", "durable"])
@pytest.mark.parametrize("workload", workloads.WORKLOADS)
async def test_every_workload_runs(tmp_path, workload, durability):
    """Each workload ends with the right results in both durabilities, and its figures are above zero."""
    system = segue_rows.SegueSystem(durability)
    figures = await workloads.measure(system, workload, workloads.SMOKE, tmp_path)
    assert tuple(figures) == workloads.WORKLOADS[workload].figures
    assert all(value > 0 for value in figures.values())


@pytest.mark.parametrize("workload", process_rows.WORKLOADS)
async def test_every_workload_of_processes_runs(tmp_path, workload):
    """Processes hand over to one another, idle, die and write at once; each figure is above zero."""
    figures = await process_rows.measure(workload, "fast", workloads.SMOKE, tmp_path)
    assert tuple(figures) == process_rows.WORKLOADS[workload].figures
    assert all(value > 0 for value in figures.values())


async def test_a_chain_of_speculative_agents_runs(tmp_path):
    """The extra row runs the same chain with agents that may start early."""
    system = segue_rows.SegueSystem("durable", speculative=True)
    figures = await workloads.measure(system, "W1", workloads.SMOKE, tmp_path)
    assert 0 < figures["p50_us"] <= figures["p99_us"]


async def test_a_pile_stores_each_piece_once(tmp_path):
    """Ten pieces of 100 KB leave at least their megabyte on disk, so nothing was skipped or shared."""
    figures = await workloads.measure(segue_rows.SegueSystem("fast"), "W4", workloads.SMOKE, tmp_path)
    assert figures["stored_mb"] >= workloads.CHAIN_LENGTH * workloads.PIECE_BYTES / 1e6


async def test_the_pages_of_a_hand_off_are_read_from_the_log(tmp_path):
    """A hand-off of Segue dirties some pages, and their number is found in the store's own log."""
    figures = await segue_rows.measure_pages(segue_rows.SegueSystem("durable"), tmp_path)
    assert figures["pages"] >= 2


async def test_the_scale_row_runs(tmp_path):
    """The scale row fills its file with finished runs and times chains in it and in an empty one."""
    figures = await scale.measure_scale(workloads.SMOKE, tmp_path)
    assert figures["empty_p50_us"] > 0
    assert figures["full_p50_us"] > 0
    assert figures["memory_late_mb"] > 0


def test_the_command_reports_in_a_table_and_in_json(tmp_path, capsys):
    """`python -m benchmarks` measures every row that it can and says why it left one out."""
    output = tmp_path / "report.json"
    missing = ["--langgraph-python", str(tmp_path / "no-python")]
    arguments = ["--smoke", "--repeat", "1", "--only", "W1", "--folder", str(tmp_path), *missing]
    assert main([*arguments, "--output", str(output)]) == 0
    table = capsys.readouterr().out
    report = json.loads(output.read_text())
    assert {line["system"] for line in report["lines"]} == {
        goals.FAST,
        goals.DURABLE,
        goals.SPECULATIVE,
        goals.RAW_FAST,
        goals.RAW_DURABLE,
    }
    assert "LangGraph was not measured" in table
    assert all(system in table for system in report["systems"])


def test_the_command_takes_a_hop_apart(tmp_path, capsys):
    """`--parts` finds every part of a hand-off: a border that is no longer passed would leave its part at 0."""
    assert main(["--smoke", "--parts", "--json", "--folder", str(tmp_path)]) == 0
    report = json.loads(capsys.readouterr().out)
    assert tuple(report["parts_us"]) == tuple(parts.PARTS)
    assert all(microseconds > 0 for microseconds in report["parts_us"].values())
    assert report["hops"] == workloads.SMOKE.chain_runs * (workloads.CHAIN_LENGTH - 1)


def test_the_parts_of_a_hop_are_all_of_it():
    """What lies between two borders belongs to the part that the second ends: nothing is left out or counted twice."""
    spent = parts.parts_of_hop(100, 1_000, [(130, "seal"), (140, "rows"), (300, "statements"), (310, "rows")])
    assert {part: nanoseconds for part, nanoseconds in spent.items() if nanoseconds} == {
        "seal": 30,
        "rows": 20,
        "statements": 160,
        "inputs": 690,
    }
