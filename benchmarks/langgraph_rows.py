"""LangGraph with its AsyncSqliteSaver: the peer, in an environment of its own (requirements/langgraph.txt).

`durability="sync"` is the setting under which LangGraph, like Segue, starts a node only after the step
before it is committed; the saver's file is in WAL mode with SQLite's default `synchronous=FULL`. LangGraph
validates no update that a node sends, so the nodes do: the payload is validated on both sides, as in Segue.
"""

import asyncio
import operator
import os
import sqlite3
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated, Any, TypedDict

from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver  # type: ignore[import-not-found]
from langgraph.graph import END, START, StateGraph  # type: ignore[import-not-found]
from langgraph.types import Send  # type: ignore[import-not-found]
from pydantic import BaseModel, Field

from benchmarks import workloads
from benchmarks.lanes import serve
from benchmarks.workloads import Figures, OpenSystem, Packet, Sizes, next_packet

Json = dict[str, Any]


class Message(BaseModel):
    """What a hand-off carries in Segue's envelope, as a model of the user's own."""

    summary: str
    confidence: float = Field(ge=0.0, le=1.0)
    decisions: list[str]
    output: Packet


class ChainState(TypedDict):
    """One channel: the message of the node before."""

    message: Json


class FanState(TypedDict):
    """The first message, and one from each leaf."""

    message: Json
    results: Annotated[list[Json], operator.add]
    joined: int


class PileState(TypedDict):
    """The message of the node before, and the pieces of all nodes so far."""

    message: Json
    pieces: Annotated[list[bytes], operator.add]


class MeshState(TypedDict):
    """A message from each node of each layer; layer 0 is the run's input."""

    layer_0: Annotated[list[Json], operator.add]
    layer_1: Annotated[list[Json], operator.add]
    layer_2: Annotated[list[Json], operator.add]
    layer_3: Annotated[list[Json], operator.add]


def sent(packet: Packet) -> Json:
    """The packet as a message, validated when it is sent."""
    message = {
        "summary": workloads.SUMMARY,
        "confidence": workloads.CONFIDENCE,
        "decisions": list(workloads.DECISIONS),
        "output": packet.model_dump(),
    }
    return Message.model_validate(message).model_dump(mode="json")


def received(message: Json) -> Packet:
    """The packet of a message, validated when it is received."""
    return Message.model_validate(message).output


class LangGraph:
    """The peer under measurement."""

    def __init__(self) -> None:
        self.marks: list[int] = []

    @asynccontextmanager
    async def opened(self, folder: Path, concurrency: int) -> AsyncIterator[OpenSystem]:
        """Open a new checkpoint file; LangGraph runs a step's nodes together whatever the concurrency."""
        path = str(folder / "langgraph.db")
        async with AsyncSqliteSaver.from_conn_string(path) as saver:
            await saver.setup()
            yield OpenLangGraph(saver, self.marks)
        with sqlite3.connect(path) as connection:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        connection.close()


class OpenLangGraph:
    """The four shapes as compiled graphs over one saver."""

    def __init__(self, saver: AsyncSqliteSaver, marks: list[int]) -> None:
        self._marks = marks
        self._pieces: Sequence[bytes] = ()
        self._chain = self._chain_graph(ChainState, self._step).compile(checkpointer=saver)
        self._pile = self._chain_graph(PileState, self._add).compile(checkpointer=saver)
        self._fan = self._fan_graph().compile(checkpointer=saver)
        self._mesh = self._mesh_graph().compile(checkpointer=saver)

    async def chain(self, packet: Packet) -> Packet:
        """See OpenSystem.chain."""
        return received((await self._run(self._chain, {"message": sent(packet)}))["message"])

    async def fan(self, packet: Packet) -> int:
        """See OpenSystem.fan."""
        joined: int = (await self._run(self._fan, {"message": sent(packet)}))["joined"]
        return joined

    async def pile(self, packet: Packet, pieces: Sequence[bytes]) -> Callable[[], Awaitable[list[bytes]]]:
        """See OpenSystem.pile."""
        self._pieces = pieces
        state = await self._run(self._pile, {"message": sent(packet), "pieces": []})

        async def read_back() -> list[bytes]:
            found: list[bytes] = state["pieces"]
            return found

        return read_back

    async def mesh(self, packet: Packet) -> list[Packet]:
        """See OpenSystem.mesh."""
        state = await self._run(self._mesh, {"layer_0": [sent(packet)]})
        return [received(message) for message in state[f"layer_{workloads.MESH_LAYERS}"]]

    async def _run(self, graph: Any, state: Json) -> Json:
        thread = {"configurable": {"thread_id": str(uuid.uuid4())}, "recursion_limit": 50}
        result: Json = await graph.ainvoke(state, thread, durability="sync")
        return result

    async def _step(self, state: ChainState) -> Json:
        packet = received(state["message"])
        self._marks.append(time.perf_counter_ns())
        packet = next_packet(packet)
        self._marks.append(time.perf_counter_ns())
        return {"message": sent(packet)}

    async def _add(self, state: PileState) -> Json:
        packet = next_packet(received(state["message"]))
        return {"message": sent(packet), "pieces": [self._pieces[packet.step - 1]]}

    def _chain_graph(self, state: type, node: Callable[..., Awaitable[Json]]) -> Any:
        graph = StateGraph(state)
        names = [f"agent_{number}" for number in range(workloads.CHAIN_LENGTH)]
        for source, name in zip([START, *names], names, strict=False):
            graph.add_node(name, node)
            graph.add_edge(source, name)
        graph.add_edge(names[-1], END)
        return graph

    def _fan_graph(self) -> Any:
        async def first(state: FanState) -> Json:
            return {"message": sent(next_packet(received(state["message"])))}

        async def leaf(state: FanState) -> Json:
            return {"results": [sent(next_packet(received(state["message"])))]}

        async def join(state: FanState) -> Json:
            return {"joined": len([received(message) for message in state["results"]])}

        def to_leaves(state: FanState) -> list[Send]:
            return [Send("leaf", {"message": state["message"]}) for _ in range(workloads.FAN_LEAVES)]

        graph = StateGraph(FanState)
        for name, node in (("first", first), ("leaf", leaf), ("join", join)):
            graph.add_node(name, node)
        graph.add_edge(START, "first")
        graph.add_conditional_edges("first", to_leaves, ["leaf"])
        graph.add_edge("leaf", "join")
        graph.add_edge("join", END)
        return graph

    def _mesh_graph(self) -> Any:
        graph = StateGraph(MeshState)
        before = [START]
        for layer in range(1, workloads.MESH_LAYERS + 1):
            names = [f"layer_{layer}_agent_{number}" for number in range(workloads.MESH_WIDTH)]
            for name in names:
                graph.add_node(name, _sleeping_node(layer))
                for source in before:
                    graph.add_edge(source, name)
            before = names
        for name in before:
            graph.add_edge(name, END)
        return graph


def _sleeping_node(layer: int) -> Callable[[MeshState], Awaitable[Json]]:
    async def sleep(state: MeshState) -> Json:
        channels: Json = dict(state)
        packets = [received(message) for message in channels[f"layer_{layer - 1}"]]
        await asyncio.sleep(workloads.MESH_SLEEP_SECONDS)
        return {f"layer_{layer}": [sent(next_packet(packets[0]))]}

    return sleep


def measure(workload: str, sizes: Sizes, folder: Path) -> Figures:
    """Measure one repetition of a workload on LangGraph."""
    return asyncio.run(workloads.measure(LangGraph(), workload, sizes, folder))


if __name__ == "__main__":
    os.environ["LANGSMITH_TRACING"] = "false"
    serve(measure)
