"""Words for people: names made visible, counts with their nouns."""

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
