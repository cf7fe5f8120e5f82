"""
Making a store of a backup: a new incarnation of the one that was backed up.

Whoever worked for the old one may still be there, and whoever observed it may come back with its cursors. So every
claim is revoked, which fences their tokens, and the incarnation is a new one, which expires their cursors.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from segue.domain.records import task_name
from segue.errors import StoreCorrupt, StoreTooNew, UsageError
from segue.ports.clock import Clock
from segue.stores.artifacts import FolderArtifacts
from segue.stores.sqlite import reading
from segue.stores.sqlite.file.backing import (
    ARTIFACTS,
    DATABASE,
    FORMAT,
    MANIFEST,
    Manifest,
    Told,
    check_integrity,
    copy_artifacts,
    digest_of_file,
    emerging,
    open_alone,
    refuse_to_overwrite,
    sync,
    sync_all,
    told_of,
)
from segue.stores.sqlite.file.files import folder_beside
from segue.stores.sqlite.file.migrating import bring_up_to_date, write_meta
from segue.stores.sqlite.file.premises import boot_id, check_library, check_place
from segue.stores.sqlite.statements import SQL
from segue.stores.sqlite.transaction import Transaction
from segue.stores.wording import expiry_data, task_event


def restore(backup: Path, target: Path, clock: Clock, told: Told) -> Manifest:
    """
    Make a store at `target` of the backup in a folder; nothing may be there yet. What the backup says of itself.

    Raises `UsageError` if something is there or the folder is no backup, `StoreCorrupt` and `ArtifactError` if the
    backup is damaged, `StoreTooNew` if a newer Segue wrote it.
    """
    manifest = read_manifest(backup)
    target = target.absolute()
    folder = folder_beside(target)
    refuse_to_overwrite(target, folder, Path(f"{target}-wal"), Path(f"{target}-journal"))
    check_library()
    check_place(target)
    if digest_of_file(backup / DATABASE) != manifest.database:
        raise StoreCorrupt(
            f"{backup / DATABASE} is not the file that was backed up: its digest is another",
            remedy="Restore an earlier backup.",
        )
    with emerging(folder) as partial:
        database = partial / DATABASE
        with told_of(target):
            shutil.copyfile(backup / DATABASE, database)
            database.chmod(0o600)
            digests = _renew(database, clock)
        artifacts = FolderArtifacts(partial / ARTIFACTS, clock, durable=False)
        copy_artifacts(FolderArtifacts(backup / ARTIFACTS, clock, durable=False), artifacts, digests, told)
        sync_all(partial)
    # The database comes last: without it there is no store, and nobody has worked with half of one.
    with told_of(target):
        os.link(folder / DATABASE, target)  # never in place of a file that has come meanwhile
        sync(target.parent)
        (folder / DATABASE).unlink()
    return manifest


def read_manifest(backup: Path) -> Manifest:
    """What a backup says of itself. Raises `UsageError` for a folder that is no backup, and `StoreTooNew`."""
    try:
        said: Any = json.loads((backup / MANIFEST).read_bytes())
        if said["format"] > FORMAT:
            raise StoreTooNew(
                f"the backup {backup} has the form {said['format']}, this Segue knows up to {FORMAT}",
                remedy="Upgrade Segue: pip install --upgrade segue",
            )
        return Manifest(**said)
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise UsageError(
            f"{backup} is not a backup: {MANIFEST} in it is missing or says something else",
            remedy="Name the folder that `segue backup` made.",
        ) from error


def _renew(database: Path, clock: Clock) -> Sequence[str]:
    """Make a new incarnation of a database; the artifacts that it points to."""
    with contextlib.closing(open_alone(database)) as connection:
        check_integrity(connection, database)
        bring_up_to_date(connection, database, boot_id(), clock.boot())
        with connection:
            _revoke(Transaction(connection, connection.cursor(), clock, careful=True))
            write_meta(connection, "incarnation", uuid.uuid4().hex[:16])
        return reading.artifact_references(connection)


def _revoke(tx: Transaction) -> None:
    """Take away every claim, and end every delay: boot clocks of other machines mean nothing here."""
    tx.rows(SQL.forget_lost_claims)
    for run, node, item, epoch, agent, worker in sorted(tx.rows(SQL.revoke_claims, (tx.boot, tx.wall))):
        event = (run, task_event(agent, "expired"), task_name(node, item), epoch, tx.wall)
        tx.tell([(*event, expiry_data(worker), None)])
    tx.rows(SQL.void_delays, (tx.boot,))
    tx.rows(SQL.free_all_consumers)
    tx.rows(SQL.forget_all_workers)
