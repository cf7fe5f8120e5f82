"""The payloads that have crossed, in memory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from segue.domain.records import NewRun, PayloadRecord
from segue.stores.memory.state import State
from segue.stores.registering import unregistered, unregistered_by_runs


class Registering:
    """The verbs of the contract for versions of payloads."""

    _state: State

    async def register(
        self, payloads: Sequence[PayloadRecord], schemas: Sequence[tuple[str, str]], where: str
    ) -> None:
        """Register the payloads of a hand-off that is about to be settled."""
        texts, kept = dict(schemas), self._state.schemas
        new = unregistered(payloads, texts, self._registered, kept.get, where=where, older_too=True)
        for fingerprint, text in texts.items():
            kept.setdefault(fingerprint, text)
        self._keep(new)

    async def read_payloads(self) -> Sequence[PayloadRecord]:
        """All that is registered."""
        return sorted(self._state.payloads.values())

    def _register_runs(self, runs: Sequence[NewRun]) -> None:
        self._keep(unregistered_by_runs(runs, self._registered, self._state.schemas.get))

    def _registered(self, name: str) -> Mapping[str, str]:
        found = [each for each in self._state.payloads.values() if each.name == name]
        return {each.version: each.fingerprint for each in found}

    def _keep(self, new: Sequence[PayloadRecord]) -> None:
        self._state.payloads.update({(each.name, each.version): each for each in new})
