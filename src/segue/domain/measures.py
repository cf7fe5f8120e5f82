"""Times and sizes for people, in the unit that fits."""

from __future__ import annotations


def seconds_in_words(seconds: float) -> str:
    """`840 µs`, `12.3 ms`, `4.56 s`, `2 min 5 s`."""
    if seconds < 0.001:
        return f"{seconds * 1_000_000:.0f} µs"
    if seconds < 1:
        return f"{seconds * 1_000:.1f} ms"
    if seconds < 100:
        return f"{seconds:.2f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s"


def bytes_in_words(size: int) -> str:
    """`512 B`, `12.3 KB`, `4.5 MB`; a KB is 1,000 bytes."""
    if size < 1_000:
        return f"{size} B"
    return f"{size / 1_000:.1f} KB" if size < 1_000_000 else f"{size / 1_000_000:.1f} MB"
