"""Whether a file is sound as a database, whatever is in it."""

from __future__ import annotations

from pathlib import Path

from segue.stores.sqlite.file.connection import connect


def file_problems(path: Path) -> list[str]:
    """What SQLite's own check finds wrong with a file, a line each; reads all of it, beside those who write."""
    connection = connect(path, "durable", read_only=True)
    try:
        found = connection.execute("PRAGMA integrity_check").fetchall()
    finally:
        connection.close()
    return [str(line) for (line,) in found if line != "ok"]
