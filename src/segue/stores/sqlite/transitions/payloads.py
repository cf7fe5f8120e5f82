"""The payloads that have crossed, and which fields the versions of each stand for."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from segue.domain.records import NewRun, PayloadRecord
from segue.stores.registering import unregistered, unregistered_by_runs
from segue.stores.sqlite.statements import SQL
from segue.stores.sqlite.transaction import Transaction


def register(
    tx: Transaction, payloads: Sequence[PayloadRecord], schemas: Iterable[tuple[str, str]], where: str
) -> None:
    """Register the payloads of a hand-off. Raises `SchemaDrift` before anything is written."""
    texts = dict(schemas)
    new = unregistered(
        payloads,
        texts,
        lambda name: _registered(tx, name),
        lambda key: _kept(tx, key),
        where=where,
        older_too=True,
    )
    keep_schemas(tx, texts.items())
    tx.cursor.executemany(SQL.insert_payload, new)


def new_payloads(tx: Transaction, runs: Sequence[NewRun]) -> list[PayloadRecord]:
    """The payloads that a submission brings. Raises `SchemaDrift`."""
    return unregistered_by_runs(runs, lambda name: _registered(tx, name), lambda key: _kept(tx, key))


def keep_schemas(tx: Transaction, schemas: Iterable[tuple[str, str]]) -> None:
    """Keep JSON Schemas, each once."""
    for fingerprint, schema in schemas:
        if not tx.rows(SQL.has_schema, (fingerprint,)):
            tx.cursor.execute(SQL.insert_schema, (fingerprint, schema))


def _registered(tx: Transaction, name: str) -> dict[str, str]:
    return dict(tx.rows(SQL.find_payload, (name,)))


def _kept(tx: Transaction, fingerprint: str) -> str | None:
    rows = tx.rows(SQL.read_schema, (fingerprint,))
    return str(rows[0][0]) if rows else None
