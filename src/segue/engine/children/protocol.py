"""
What a worker and its children say to each other: a small set of messages, each a frame of JSON on a socket.

A frame is four bytes that say how long it is, and its JSON. Both ends validate what arrives. Nothing is unpickled, so a
child that went mad can send a wrong answer and no more. A child serves one call at a time; while it runs it may ask
(`Request`), and each `Answer` names the request that it is for.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from segue import errors
from segue.domain.envelope.sealing import Sealed
from segue.domain.envelope.sent import Origin
from segue.domain.graph.isolation import Target
from segue.domain.records import Amounts
from segue.domain.rows import StepKind, StepRecord, StoredHandoff
from segue.domain.running.faults import Fault
from segue.domain.settings.node_settings import OnOverrun
from segue.engine.attempts.attempt import Facts
from segue.errors import PayloadTooLarge, SegueError

PROTOCOL_VERSION = 2
"""Raised with every change to a message. A worker refuses children that speak another one."""

FRAME_LIMIT_BYTES = 256 * 1024 * 1024
"""
The largest frame: twice the largest output with every second character escaped. Whoever gets an announcement of more
gives up before a byte of it is read.
"""

HEAD_BYTES = 4


class Raised(NamedTuple):
    """An error that a request ended with: which one of `segue.errors`, and its words."""

    kind: str
    message: str
    remedy: str | None


class Value(NamedTuple):
    """An argument that crosses as its JSON."""

    crossing: Literal["value"]
    document: bytes


class Envelope(NamedTuple):
    """
    A hand-off, with what it does not hold itself: where it comes from, and the content that was spilled. `path` leads
    to the argument that it is for, where it was handed on.
    """

    stored: StoredHandoff
    origin: Origin
    contents: dict[str, bytes]
    path: tuple[str | int, ...]


class Envelopes(NamedTuple):
    """An argument for `Handoff[T]` or `Ref[T]`, or with `each` for a list of them."""

    crossing: Literal["handoff", "reference"]
    each: bool
    envelopes: list[Envelope | None]


class Awaited(NamedTuple):
    """An argument for `Later[T]`, of which nothing is sent before the agent asks."""

    crossing: Literal["later"]


Parcel = Value | Envelopes | Awaited


class Message(BaseModel):
    """The base of all messages."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Load(Message):
    """To a child: import the agent's module. `path` is where the worker looks for modules."""

    kind: Literal["load"] = "load"
    target: Target
    path: list[str]


class Call(Message):
    """To a child: call an agent that was loaded."""

    kind: Literal["call"] = "call"
    target: Target
    facts: Facts
    arguments: dict[str, Parcel]
    substitute: str | None
    decisions_required: bool
    on_overrun: OnOverrun


class Answer(Message):
    """To a child: what a request came to."""

    kind: Literal["answer"] = "answer"
    request: int
    value: Any = None
    raised: Raised | None = None


class Ready(Message):
    """From a child, first of all."""

    kind: Literal["ready"] = "ready"
    protocol: int


class Loaded(Message):
    """From a child: the module is imported, or why not."""

    kind: Literal["loaded"] = "loaded"
    fault: Fault | None


class Done(Message):
    """From a child: the call has ended, with a sealed hand-off or an error."""

    kind: Literal["done"] = "done"
    sealed: Sealed | None = None
    fault: Fault | None = None


class Fetch(NamedTuple):
    """The output behind a `Ref`: the number of the envelope among those of a parameter. The answer is its JSON."""

    verb: Literal["fetch"]
    parameter: str
    number: int


class Settle(NamedTuple):
    """What a `Later` waits for. The answer is its JSON."""

    verb: Literal["settle"]
    parameter: str


class Upstream(NamedTuple):
    """The context of everything upstream of a received hand-off."""

    verb: Literal["upstream"]
    parameter: str
    number: int


class Put(NamedTuple):
    """One more piece of an artifact that is written, in base64; the answer to the last is its digest and size."""

    verb: Literal["put"]
    upload: int
    piece: str
    last: bool


class Read(NamedTuple):
    """The next piece of an artifact, in base64; None after the last."""

    verb: Literal["read"]
    download: int
    digest: str


class Recall(NamedTuple):
    """What an earlier attempt has left under the name of a step or an effect."""

    verb: Literal["recall"]
    step: StepKind
    name: str


class GiveBack(NamedTuple):
    """A step came to nothing. Nobody waits for an answer."""

    verb: Literal["give_back"]
    name: str


class Write(NamedTuple):
    """Steps to be written down."""

    verb: Literal["write"]
    steps: tuple[StepRecord, ...]


class Report(NamedTuple):
    """How far the agent is."""

    verb: Literal["report"]
    data: str


class Delegate(NamedTuple):
    """Let another agent answer. The answer is the JSON of what it handed over."""

    verb: Literal["delegate"]
    sealed: Sealed
    share: Amounts | None


class Reserve(NamedTuple):
    """Set amounts aside. The answer is the name of the reservation, if there is one."""

    verb: Literal["reserve"]
    asked: Amounts


class SettleSpent(NamedTuple):
    """Say what was spent in the place of a reservation."""

    verb: Literal["settle_spent"]
    name: str
    spent: Amounts


class Confirm(NamedTuple):
    """Whether the task is still the attempt's own, and its inputs durable."""

    verb: Literal["confirm"]


class Doubt(NamedTuple):
    """The attempt is to end in doubt. Nobody waits for an answer."""

    verb: Literal["doubt"]
    raised: Raised


Ask = (
    Fetch
    | Settle
    | Upstream
    | Put
    | Read
    | Recall
    | GiveBack
    | Write
    | Report
    | Delegate
    | Reserve
    | SettleSpent
    | Confirm
    | Doubt
)


class Request(Message):
    """From a child: something that only the worker can do."""

    kind: Literal["request"] = "request"
    request: int
    ask: Ask


class Withdraw(Message):
    """From a child: nobody waits for the answer to a request any more."""

    kind: Literal["withdraw"] = "withdraw"
    request: int


ToChild = Load | Call | Answer
FromChild = Ready | Loaded | Done | Request | Withdraw

to_child: TypeAdapter[ToChild] = TypeAdapter(Annotated[ToChild, Field(discriminator="kind")])
from_child: TypeAdapter[FromChild] = TypeAdapter(Annotated[FromChild, Field(discriminator="kind")])


def frame_of(message: Message, what: str) -> bytes:
    """A message as it is sent. Raises PayloadTooLarge, saying that it was `what`."""
    data = message.model_dump_json().encode()
    if len(data) > FRAME_LIMIT_BYTES:
        raise PayloadTooLarge(
            f"{what}: {len(data):,} bytes are too many for a child process, the limit is {FRAME_LIMIT_BYTES:,}",
            remedy="Hand over less at once: take `Ref[T]`, or write large content with Artifact.write.",
        )
    return len(data).to_bytes(HEAD_BYTES, "big") + data


def raised_by(error: Exception) -> Raised:
    """An error as it is sent."""
    if not isinstance(error, SegueError):
        return Raised(SegueError.__name__, f"{type(error).__name__}: {error}", None)
    return Raised(type(error).__name__, error.message, error.remedy)


def error_of(raised: Raised) -> SegueError:
    """An error as it is raised again: one of Segue's, of the same kind if that is built like all of them."""
    kind = getattr(errors, raised.kind, SegueError)
    if kind.__init__ is not SegueError.__init__:
        kind = SegueError
    error: SegueError = kind(raised.message, remedy=raised.remedy)
    return error
