"""What a store keeps of payloads: which fields the versions of each stand for, for ever."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from segue.domain.records import PayloadRecord


class PayloadStore(Protocol):
    """The payloads that have crossed here, by name and version. Pruning takes none of them away."""

    async def register(
        self, payloads: Sequence[PayloadRecord], schemas: Sequence[tuple[str, str]], where: str
    ) -> None:
        """
        Register the payloads of a hand-off that is about to be settled, with the JSON Schemas behind all fingerprints.

        What is registered already, and the same, is nothing new. Older versions than those that are there are taken: an
        old worker may send beside new ones. Raises `SchemaDrift` for a version that stands for other fields, and then
        writes nothing; `where` begins the error.
        """
        ...

    async def read_payloads(self) -> Sequence[PayloadRecord]:
        """All that is registered, by name and version."""
        ...
