"""What a task is told that cannot start: who is to blame, in words that stay short."""

from __future__ import annotations

import json

from segue.domain.graph.graph import Argument, Graph, Node, Output
from segue.domain.records import SINGLE, TaskState
from segue.domain.rows import TaskRecord
from segue.domain.running.plan import Step, compile_plan
from segue.domain.running.upstream import cause_of_break
from segue.domain.settings.node_settings import NodeSettings


def step(**settings: object) -> Step:
    """A join of six."""
    sources = [f"s{place}" for place in range(6)]
    arguments = tuple(Argument(name, Output(name)) for name in sources)
    join = Node("j", "j", "1", arguments, "", settings=NodeSettings(**settings))  # type: ignore[arg-type]
    return compile_plan(
        Graph("w", "1", (), (*(Node(name, name, "1", (), "") for name in sources), join), None)
    ).steps["j"]


def task(node: str, state: TaskState, message: str | None = "no", item: int = SINGLE) -> TaskRecord:
    """A task as it stands."""
    error = None if message is None else json.dumps({"kind": "x", "message": message})
    return TaskRecord("run", node, item, node, state, 1, 1, 0, None, None, (), None, None, None, error)


def test_all_that_are_to_blame_are_named() -> None:
    """Failed, given up or skipped: each with its reason; those that are well, or not among the inputs, are not."""
    tasks = [
        task("s0", "complete"),
        task("s1", "failed", "it broke"),
        task("s2", "dead", None),
        task("s3", "skipped", item=4),
        task("other", "failed"),
    ]
    assert cause_of_break(step(), tasks) == {
        "kind": "upstream",
        "message": "s1 failed: it broke; s2 was given up: no reason was recorded; s3[4] was skipped: no",
        "upstream": "s1",
        "root": "s1 failed: it broke; s2 was given up: no reason was recorded; s3[4] was skipped: no",
    }


def test_many_are_counted() -> None:
    """A thousand failures do not make a message of a thousand lines."""
    tasks = [task("s0", "failed", item=item) for item in range(1000)]
    message = cause_of_break(step(), tasks)["message"]
    assert message == "s0[0] failed: no; s0[1] failed: no; s0[2] failed: no; and 997 more"


def test_a_reason_does_not_grow_on_its_way() -> None:
    """However many layers a failure goes through, each task names who it lacks and what was wrong in the beginning."""
    tasks = [task("s0", "failed", "it broke")]
    for _ in range(100):
        cause = cause_of_break(step(), tasks)
        tasks = [task(f"s{place}", "skipped")._replace(error=json.dumps(cause)) for place in range(6)]
    assert cause["message"] == "s0 (and 5 more) was skipped: s0 failed: it broke"


def test_many_reasons_do_not_grow_on_their_way() -> None:
    """Where layers have reasons of their own, what is told of them has a limit."""
    causes = [{"message": "x" * 5000}] * 6
    for layer in range(20):
        tasks = [
            task(f"s{place}", "skipped" if layer else "failed")._replace(
                error=json.dumps({**cause, "place": place})
            )
            for place, cause in enumerate(causes)
        ]
        causes = [cause_of_break(step(), tasks[place:]) for place in range(6)]
    assert max(len(json.dumps(cause)) for cause in causes) < 5000


def test_a_quorum_says_that_it_is_one() -> None:
    """The kind and the number tell a quorum that cannot be reached from an input that is missing."""
    cause = cause_of_break(step(on_failure="proceed", quorum=5), [task("s0", "failed"), task("s1", "failed")])
    assert cause["kind"] == "quorum"
    assert cause["message"] == "its quorum of 5 cannot be reached: s0 failed: no; s1 failed: no"


def test_a_quorum_of_short_lists_says_how_short() -> None:
    """Where nothing has failed, lists had too few elements; a list is no input, its elements are."""
    tasks = [
        task("s0", "expanded"),
        *(task("s0", "complete", item=item) for item in range(2)),
        task("x", "complete"),
    ]
    cause = cause_of_break(step(on_failure="proceed", quorum=5), tasks)
    assert cause == {
        "kind": "quorum",
        "message": "its quorum of 5 cannot be reached: there are only 2 inputs",
    }


def test_nobody_may_be_to_blame() -> None:
    """Where the reason is gone meanwhile, that is what is said."""
    assert cause_of_break(step(), []) == {
        "kind": "upstream",
        "message": "an upstream task has nothing to hand over",
    }
