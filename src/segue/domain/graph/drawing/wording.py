"""Words that several pictures share."""

from __future__ import annotations

from segue.domain.graph.drawing.picture import Edge, EdgeState
from segue.domain.measures import bytes_in_words, seconds_in_words


def one_line(text: str) -> str:
    """A text without line breaks and control characters, which a terminal would obey."""
    return "".join(character if character.isprintable() else "·" for character in text)


def state_text(state: EdgeState | None) -> str:
    """How an edge stands: `consumed in 2.1 ms, 1.2 KB`."""
    if state is None:
        return ""
    text: str = state.state
    if state.seconds is not None:
        text += f" in {seconds_in_words(state.seconds)}"
    if state.size_bytes is not None:
        text += f", {bytes_in_words(state.size_bytes)}"
    return text


def policy_text(edge: Edge) -> str:
    """What the receiver does if nothing comes: `skips without it`."""
    match edge.policy:
        case None:
            return ""
        case "fails where it waits":
            return "without it fails where it waits"
        case "goes on without":
            return "goes on without it"
        case "skips":
            return "skips without it"
        case "fails":
            return "fails without it"


def edge_label(edge: Edge) -> list[str]:
    """What is written on an edge, line by line."""
    if edge.kind == "after":
        lines = ["after"]
    elif edge.kind == "condition":
        lines = [f"when {edge.reference}"]
    elif edge.kind == "delegation":
        lines = ["delegates"]
    elif edge.kind == "hand_on":
        lines = ["hands on"]
    else:
        lines = [f"{edge.parameter}: {edge.crosses}"]
        if edge.reference != edge.source:
            lines.append(edge.reference)
    if edge.policy is not None:
        lines.append(policy_text(edge))
    if edge.state is not None:
        lines.append(state_text(edge.state))
    return [one_line(line) for line in lines]
