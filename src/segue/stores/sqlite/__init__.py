"""The store on one SQLite file."""

from segue.stores.sqlite.file.connection import Durability
from segue.stores.sqlite.store import SqliteStore

__all__ = ["Durability", "SqliteStore"]
