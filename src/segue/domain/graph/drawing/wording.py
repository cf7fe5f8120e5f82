"""Words that several pictures share."""

from __future__ import annotations

from segue.domain.graph.drawing.picture import Edge, EdgeState
from segue.domain.settings.durations import duration_text


def one_line(text: str) -> str:
    """A text without line breaks and control characters, which a terminal would obey."""
    return "".join(character if character.isprintable() else "·" for character in text)


def bytes_text(size_bytes: int) -> str:
    """A size as people write it: `812 B`, `1.2 kB`, `3.4 MB`."""
    size = float(size_bytes)
    for unit in ("B", "kB", "MB"):
        if size < 1000:
            return f"{size:.3g} {unit}"
        size /= 1000
    return f"{size:.3g} GB"


def state_text(state: EdgeState | None) -> str:
    """How an edge stands: `consumed in 2ms, 1.2 kB`."""
    if state is None:
        return ""
    text: str = state.state
    if state.seconds is not None:
        text += f" in {duration_text(state.seconds)}"
    if state.size_bytes is not None:
        text += f", {bytes_text(state.size_bytes)}"
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
    else:
        lines = [f"{edge.parameter}: {edge.crosses}"]
        if edge.reference != edge.source:
            lines.append(edge.reference)
    if edge.policy is not None:
        lines.append(policy_text(edge))
    if edge.state is not None:
        lines.append(state_text(edge.state))
    return [one_line(line) for line in lines]
