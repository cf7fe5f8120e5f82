"""Words for people: names made visible, counts with their nouns, times and sizes in the unit that fits."""

from __future__ import annotations


def shown(name: bytes) -> str:
    """A file name as text: bytes that are not UTF-8 and characters that would not be seen are escaped."""
    return visible(name.decode("utf-8", "backslashreplace"))


def visible(text: str) -> str:
    """The text with everything escaped that is not printable: line ends, controls, changes of direction."""
    return "".join(
        letter if letter.isprintable() else letter.encode("unicode_escape").decode() for letter in text
    )


def counted(count: int, noun: str, plural: str | None = None) -> str:
    """`1 file`, `1,200 files`; give the plural where it is not the noun with an s."""
    return f"{count:,} {noun if count == 1 else plural or f'{noun}s'}"


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
