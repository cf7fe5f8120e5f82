"""One SQL statement per file, each saying what it is for, each in use."""

import ast
import re
from pathlib import Path

STORES = Path(__file__).parents[2] / "src" / "segue" / "stores"
FILES = sorted(STORES.rglob("*.sql"))


def sentence(text: str) -> str:
    """Return the comment that a file begins with, as one line."""
    head = re.match(r"(?:--.*\n)+", text)
    return " ".join(line.removeprefix("--").strip() for line in head[0].splitlines()) if head else ""


def words(folder: Path) -> set[str]:
    """Return the strings and attribute names in the Python files of a store."""
    nodes = [node for path in folder.rglob("*.py") for node in ast.walk(ast.parse(path.read_text()))]
    strings = {node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str)}
    return strings | {node.attr for node in nodes if isinstance(node, ast.Attribute)}


def unused(files: list[Path], named: set[str]) -> list[Path]:
    """Return the statements that no code names; migrations and the schema are found by their place."""
    found_by_place = [path for path in files if path.parent.name == "migrations" or path.name == "schema.sql"]
    return [path for path in files if path not in found_by_place and not {path.stem, path.name} & named]


def test_every_statement_begins_with_a_sentence() -> None:
    """A reader learns what a statement does before reading how."""
    assert FILES, "there are no SQL files: has the store moved?"
    assert [path.name for path in FILES if not re.fullmatch(r"[A-Z].*\.", sentence(path.read_text()))] == []


def test_every_statement_is_used() -> None:
    """Each file is named by the code of a store."""
    assert unused(FILES, words(STORES)) == []


def test_migrations_have_no_gap() -> None:
    """The numbers of each store's migrations count from 1."""
    for folder in {path.parent for path in FILES if path.parent.name == "migrations"}:
        numbers = [int(path.name.split("_")[0]) for path in sorted(folder.glob("*.sql"))]
        assert numbers == list(range(1, len(numbers) + 1))


def test_what_is_wrong_is_seen(tmp_path: Path) -> None:
    """A file without its sentence, or one that no code names, is noticed."""
    assert sentence("SELECT 1;\n-- Late.\n") == ""
    assert sentence("-- Claim what\n-- is ready.\nSELECT 1;\n") == "Claim what is ready."
    claim, lost = tmp_path / "claim.sql", tmp_path / "lost.sql"
    (tmp_path / "store.py").write_text("claim = load('claim.sql')\n")
    assert unused([claim, lost, tmp_path / "schema.sql"], words(tmp_path)) == [lost]
