"""`segue run` and `segue resume`: what they print, what they leave, and with which code they end."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.conftest import Project

SLOW = """
import threading
from pathlib import Path
from segue import agent, workflow

@agent
def first() -> str:
    return "one"

@agent
async def second(text: str) -> str:
    import asyncio
    if not Path("go").exists():
        Path("running").touch()
        await asyncio.Event().wait()
    return text + " two"

@workflow
def slow() -> str:
    return second(first())
"""


def test_the_result_is_printed(project: Project) -> None:
    """Without a terminal nothing but the result is printed, and the run is in the store."""
    done = project.run("run", "flows:compare", "--input", '{"goal": "cheap"}')
    assert (done.exit_code, done.stdout, done.stderr) == (0, "6\n", "")
    assert [run["state"] for run in project.json("runs")] == ["complete"]


def test_submitted_here_and_run_elsewhere(project: Project) -> None:
    """With --detach nothing is run: the run waits, durable, for a process that has its agents."""
    submitted = project.json("run", "flows:compare", "--input", '"cheap"', "--detach", "--key", "monday")
    assert project.json("show", "monday")["state"] == "running"
    assert {task["state"] for task in project.json("show", "monday")["tasks"]} <= {"ready", "waiting"}
    assert project.json("resume", submitted["run"], "--agents", "flows")["result"] == 6
    assert project.run(
        "run", "flows:compare", "--input", '"cheap"', "--detach", "--key", "monday"
    ).stdout == (submitted["run"] + "\n")


@pytest.mark.parametrize("text", ['"cheap"', '{"goal": "cheap"}', "@input.json", "-"])
def test_input_may_come_from_anywhere(project: Project, text: str) -> None:
    """One value for the only parameter, an object, a file, standard input: all are the same input."""
    (project.folder / "input.json").write_text('"cheap"')
    done = project.run("run", "flows:compare", "--input", text, "--json", stdin='{"goal": "cheap"}')
    assert done.exit_code == 0, done.stderr
    answer = json.loads(done.stdout)
    assert (answer["workflow"], answer["state"], answer["result"]) == ("compare", "complete", 6)
    assert answer["totals"]["handoffs"] == 5
    assert project.json("show", answer["run"])["input"] == {"goal": "cheap"}


def test_a_key_runs_once(project: Project) -> None:
    """A second run under the same key answers with the first."""
    runs = [project.json("run", "flows:compare", "-i", '"x"', "--key", "monday")["run"] for _ in range(2)]
    assert runs[0] == runs[1]
    refused = project.refused("run", "flows:compare", "-i", '"y"', "--key", "monday")
    assert refused.exit_code == 2
    assert "'monday'" in refused.stderr


def test_a_failed_run(project: Project) -> None:
    """The failure is told, the rest of the run went on, dependents were skipped with the cause; code 5."""
    done = project.run("run", "flows:failing", "-i", '"x"')
    assert done.exit_code == 5
    assert "broken: ValueError: no luck with x" in done.stderr
    assert "Traceback" not in done.stderr
    tasks = {task["task"]: task for task in project.json("show", "latest")["tasks"]}
    assert {name: task["state"] for name, task in tasks.items()} == {
        "broken": "failed",
        "after": "skipped",
        "other": "complete",
    }
    assert "ValueError: no luck with x" in tasks["broken"]["error"]["traceback"]
    assert "broken" in tasks["after"]["error"]["message"]


def test_a_failed_run_as_json(project: Project) -> None:
    """With --json the error is an object on standard error that names the run."""
    done = project.run("run", "flows:failing", "-i", '"x"', "--json")
    told = json.loads(done.stderr)
    assert (done.exit_code, told["error"], told["exit_code"]) == (5, "RunFailed", 5)
    assert told["run"] == project.json("runs")[0]["run"]


def test_a_run_that_needs_a_person(project: Project) -> None:
    """A hand-off that asks for a review stops the run with a code of its own."""
    done = project.run("run", "flows:doubted", "-i", '"x"')
    assert done.exit_code == 7
    assert "doubtful" in done.stderr


def test_a_person_decides_and_the_run_goes_on(project: Project) -> None:
    """What was approved is handed over, by whom is on the record, and a second decision is refused."""
    project.run("run", "flows:doubted", "-i", '"x"')
    word = ("--approve", "--by", "ann", "--note", "fine")
    (shown,) = project.json("review")
    assert (shown["task"], shown["output"], shown["by"]) == ("doubtful", "x", [])
    decided = project.json("review", "latest", "doubtful", "--digest", shown["digest"], *word)
    assert (decided["decision"], decided["by"]) == ("approved", "ann")
    resumed = project.run("resume", "latest", "--agents", "flows")
    assert (resumed.exit_code, resumed.stdout) == (0, "x\n")
    again = project.run("review", "latest", "doubtful", "--reject", "--digest", shown["digest"])
    assert again.exit_code == 2
    assert "was approved by ann before" in again.stderr


DESK = """
from segue import HandTo, agent, workflow

@agent
def billing(question: str) -> str:
    return f"{question}: paid back"

@agent
def triage(question: str) -> str | HandTo:
    return HandTo("billing", question=question)

@agent(external=True)
def colleague(question: str) -> str: ...

@workflow
def answered(question: str) -> str:
    return triage(question)

@workflow
def asked(question: str) -> str:
    return colleague(question)

@agent(pools={"phone": 2})
def call(question: str) -> str:
    return question

@workflow
def called(questions: list[str]) -> list[str]:
    return call.map(questions)

@workflow
def single(question: str) -> str:
    return call(question)
"""

DOWN = """
from pathlib import Path
from segue import agent, workflow

@agent
def fetch(name: str) -> str:
    return Path(name).read_text()

@agent
def shout(text: str) -> str:
    return text.upper()

@workflow
def read(name: str) -> str:
    return shout(fetch(name))
"""


def test_what_failed_is_tried_again(project: Project) -> None:
    """`retry` lets dead letters begin anew with what was skipped because of them, and refuses when there are none."""
    (project.folder / "down.py").write_text(DOWN)
    assert project.run("run", "down:read", "-i", '"there"').exit_code == 5
    (project.folder / "there").write_text("here it is")
    retried = project.json("retry", "latest", "fetch", "--reason", "the file is there now")
    assert (retried["tasks"], retried["reason"]) == (["fetch", "shout"], "the file is there now")
    resumed = project.run("resume", "latest", "--agents", "down")
    assert (resumed.exit_code, resumed.stdout) == (0, "HERE IT IS\n")
    again = project.run("retry", "latest")
    assert again.exit_code == 2
    assert "nothing that could be tried again" in again.stderr


def test_a_run_has_budgets(project: Project) -> None:
    """The budgets on the command line hold for agents that say nothing."""
    (project.folder / "slow.py").write_text(SLOW)
    timed_out = project.run("run", "slow", "--timeout", "50ms")
    assert timed_out.exit_code == 5
    assert "second ran for longer than its timeout of 0.05 s" in timed_out.stderr


def test_the_module_of_a_run_is_remembered_and_not_imported(project: Project) -> None:
    """Without `--agents` the error names the module that the run was started from, as a command to copy."""
    project.run("run", "flows:doubted", "-i", '"x"')
    project.run("review", "latest", "doubtful", "--approve", "--yes-as-shown")
    refused = project.run("resume", "latest")
    assert refused.exit_code == 2
    assert "--agents flows" in refused.stderr


def test_a_task_as_json_holds_its_document(project: Project) -> None:
    """`show RUN TASK --json` has the hand-off in its public form, with where it comes from."""
    project.run("run", "flows:compare", "-i", '"x"')
    document = project.json("show", "latest", "research")["document"]
    assert document["source"] == {"agent": "research", "version": "1"}
    assert document["targets"] == [{"agent": "price", "version": "1"}]
    assert document["trace"]["traceparent"].startswith("00-")
    assert document["context"]["goal"] == "x"


def test_what_agents_say_cannot_move_the_cursor(project: Project) -> None:
    """No control character of a payload reaches the terminal: not as a result, not in any view."""
    done = project.run("run", "flows:shouting", "-i", '"x"')
    assert done.stdout == "\\x1b[2Jgone\n"
    for command in (("show", "latest"), ("show", "latest", "rude"), ("events", "latest"), ("runs",)):
        shown = project.run(*command)
        assert shown.exit_code == 0
        assert [sign for sign in shown.stdout if not sign.isprintable() and sign != "\n"] == []


def test_interrupted_and_resumed(project: Project) -> None:
    """Ctrl-C ends with 130 and says how to go on; that does, and what had handed over does not run again."""
    (project.folder / "slow.py").write_text(SLOW)
    command = [sys.executable, "-m", "segue", "run", "slow:slow"]
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environment) as process:
        wait_until_there(project.folder / "running", process)
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "Traceback" not in said
    again = said.splitlines()[-1].split()
    assert again[:2] == ["segue", "resume"]
    (project.folder / "go").touch()
    done = project.run(*again[1:])
    assert (done.exit_code, done.stdout) == (0, "one two\n")
    tasks = {task["task"]: task for task in project.json("show", "latest")["tasks"]}
    assert (tasks["first"]["epoch"], tasks["second"]["epoch"]) == (1, 2)


def test_interrupted_as_json(project: Project) -> None:
    """A script that interrupts a run gets the run and the command that goes on with it as an object."""
    (project.folder / "slow.py").write_text(SLOW)
    command = [sys.executable, "-m", "segue", "run", "slow:slow", "--json", "--store", "other.db"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        wait_until_there(project.folder / "running", process)
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=30)
    told = json.loads(said)
    assert (process.returncode, told["exit_code"], told["error"]) == (130, 130, "Interrupted")
    assert told["remedy"] == f"segue resume {told['run'][:13]} --agents slow --store other.db"


def test_a_killed_reader_is_no_error(project: Project) -> None:
    """`segue events | head -1` ends quietly when the reader has seen enough."""
    assert project.run("run", "flows:compare", "-i", '"x"').exit_code == 0
    command = f"for i in 1 2 3; do {sys.executable} -m segue events --json; done | head -1"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, timeout=30, check=True)
    assert done.stderr == ""
    assert len(done.stdout.splitlines()) == 1


def wait_until_there(path: Path, process: "subprocess.Popen[str]") -> None:
    """Wait for a file that the process makes."""
    while not path.exists():
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(timeout=0.05)


def test_killed_and_resumed_all(project: Project) -> None:
    """`segue resume` without a run goes on with all whose agents it has, and says how each ended."""
    (project.folder / "slow.py").write_text(SLOW)
    with subprocess.Popen([sys.executable, "-m", "segue", "run", "slow:slow"], text=True) as process:
        wait_until_there(project.folder / "running", process)
        process.kill()
    refused = project.refused("resume")
    assert "needs the agents first, second" in refused.stderr
    assert "--agents slow" in refused.stderr
    assert "which 'flows' does not have" in project.refused("resume", "--agents", "flows").stderr
    (project.folder / "go").touch()
    assert project.run("resume", "--agents", "slow").stdout == "one two\n"
    assert "Nothing to resume" in project.run("resume", "--agents", "slow").stderr


def test_a_graph_as_data(project: Project) -> None:
    """A graph in a JSON file runs with the agents of a module; without one, that is asked for."""
    (project.folder / "graph.json").write_text(
        json.dumps(
            {
                "workflow": "sized",
                "inputs": {"name": "str"},
                "nodes": {"size": {"agent": "price", "arguments": {"name": "$name"}}},
                "output": "$size",
            }
        )
    )
    assert "--agents MODULE" in project.refused("run", "graph.json", "-i", '"four"').stderr
    assert project.run("run", "graph.json", "--agents", "flows", "-i", '"four"').stdout == "4\n"


def test_a_task_is_handed_on_within_the_module(project: Project) -> None:
    """`segue run` has all agents of the module: also one that only a name in a `HandTo` leads to."""
    (project.folder / "desk.py").write_text(DESK)
    assert project.run("run", "desk:answered", "-i", '"money"').stdout == "money: paid back\n"
    shown = project.run("show", "latest").stdout
    assert "triage → billing  complete" in shown


def test_what_is_paused_is_not_waited_for(project: Project) -> None:
    """`segue resume` of all runs leaves alone what somebody has paused, and what only others hand over for."""
    (project.folder / "desk.py").write_text(DESK)
    project.run("run", "desk:answered", "-i", '"money"', "--detach")
    project.run("pause", "latest", "--by", "Ana")
    asked = project.run("run", "desk:asked", "-i", '"when?"', "--detach").stdout.strip()
    assert "is paused" in project.run("resume", "--agents", "desk").stderr
    assert "handed over for by others" in project.refused("resume", asked, "--agents", "desk").stderr


def test_who_wants_it_must_be_known(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the system knows no user, as in a container, `--by` is asked for before anything is done."""
    project.run("run", "flows:compare", "-i", '"CRM"', "--detach")

    def nobody() -> str:
        raise KeyError("getpwuid(): uid not found: 1234")

    monkeypatch.setattr("getpass.getuser", nobody)
    assert "--by NAME" in project.refused("pause", "latest").stderr
    assert "paused by Ana" in project.run("pause", "latest", "--by", "Ana").stdout


def test_show_says_what_holds_a_task_back(project: Project) -> None:
    """A task that waits for places says for which, and one that is paused by whom; also before it is there."""
    (project.folder / "desk.py").write_text(DESK)
    project.run("pools", "phone", "2")
    project.run("run", "desk:called", "-i", '["a", "b", "c"]', "--detach")
    project.run("pause", "latest", "call", "--by", "Ana", "--reason", "lunch")
    assert "paused: by Ana: lunch" in project.run("show", "latest", "call").stdout
    project.run("resume", "latest", "call")
    project.run("run", "desk:single", "-i", '"a"', "--detach")
    assert "call waits for: 2 of phone" in project.run("show", "latest").stdout
    assert "waits for: 2 of phone" in project.run("show", "latest", "call").stdout
    assert project.json("show", "latest")["wanted_places"] == [{"task": "call", "pool": "phone", "places": 2}]


STUBBORN = """
import pathlib
import time

from segue import agent, workflow


@agent
def stubborn() -> int:
    pathlib.Path("running").touch()
    time.sleep(600)
    return 1


@workflow
def waiting() -> int:
    return stubborn()
"""


def test_interrupted_in_a_thread(project: Project) -> None:
    """Ctrl-C ends a run whose agent runs on in a thread that nobody can stop; a second one does so at once."""
    (project.folder / "stubborn.py").write_text(STUBBORN)
    command = [sys.executable, "-m", "segue", "run", "stubborn:waiting"]
    for times in (1, 2):
        # A store for each: in that of the first one the second would begin with the task that was left behind there.
        store = ["--store", f"{times}.db"]
        with subprocess.Popen([*command, *store], stderr=subprocess.PIPE, text=True) as process:
            wait_until_there(project.folder / "running", process)
            assert process.stderr is not None
            process.send_signal(signal.SIGINT)
            said = process.stderr.readline() + process.stderr.readline()
            if times == 2:
                process.send_signal(signal.SIGINT)
            process.wait(timeout=30)
            said += process.stderr.read()
        assert process.returncode == 130
        assert said.splitlines()[-1].split()[:2] == ["segue", "resume"]
        (project.folder / "running").unlink()


WEIRD = """
from segue import agent, workflow


@agent
def raises(number: int) -> int:
    raise KeyboardInterrupt


@workflow
def interrupting(number: int) -> int:
    return raises(number)


@workflow
def crooked(number: int) -> int:
    raise ValueError("in the workflow")


@workflow
def unused(number: int) -> int:
    return raises(1)
"""


@pytest.fixture
def weird(project: Project) -> Project:
    """A module in which several things are wrong, each by itself."""
    (project.folder / "weird.py").write_text(WEIRD)
    return project


def test_an_agent_that_raises_what_a_ctrl_c_does(weird: Project) -> None:
    """It fails, as with any other error; the process and the next one that takes the task go on."""
    done = weird.run("run", "weird:interrupting", "-i", "1")
    assert done.exit_code == 5
    assert "raises: RuntimeError: the agent raised KeyboardInterrupt" in done.stderr


def test_a_workflow_is_run_whatever_is_wrong_beside_it(weird: Project) -> None:
    """Another workflow of the module that cannot run says so when it is meant, and not before."""
    assert "cannot run" not in weird.run("run", "weird:interrupting", "-i", "1").stderr
    assert "the input 'number' is used by nothing" in weird.refused("run", "weird:unused", "-i", "1").stderr


def test_a_workflow_that_raises_while_it_is_drawn(weird: Project) -> None:
    """What the user's function raises is told as the user's, with its place."""
    said = weird.refused("run", "weird:crooked", "-i", "1").stderr
    assert "workflow 'crooked' cannot be drawn: ValueError: in the workflow" in said
    assert "weird.py, line 17" in said


TALKATIVE = """
import os

from segue import agent, workflow

print("imported")


@agent
def talks(number: int) -> int:
    print("from a thread")
    os.write(1, b"past Python\\n")
    return number


@agent(isolation="process")
def talks_elsewhere(number: int) -> int:
    print("from a child process")
    return number


@workflow
def talkative(number: int) -> int:
    return talks_elsewhere(talks(number))
"""


@pytest.mark.parametrize("as_json", [False, True])
def test_what_agents_print_is_no_result(project: Project, as_json: bool) -> None:
    """Standard output has the result alone, whatever the user's code prints there, in whatever process it runs."""
    (project.folder / "talkative.py").write_text(TALKATIVE)
    command = [sys.executable, "-m", "segue", "run", "talkative", "-i", "7", *(["--json"] if as_json else [])]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert (json.loads(done.stdout)["result"] if as_json else done.stdout) == (7 if as_json else "7\n")
    for said in ("imported", "from a thread", "past Python", "from a child process"):
        assert said in done.stderr


def test_what_is_printed_without_a_file(project: Project) -> None:
    """The same where standard output is no file of the system."""
    (project.folder / "talkative.py").write_text(TALKATIVE.replace("os.write", "print"))
    assert project.run("run", "talkative", "-i", "7").stdout == "7\n"
