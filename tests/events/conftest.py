"""Segue on each store that there is, opened for one test."""

from tests.engine.conftest import open_segue, segue, store_kind

__all__ = ["open_segue", "segue", "store_kind"]
