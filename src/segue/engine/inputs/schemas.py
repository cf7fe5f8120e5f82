"""
The schemas behind fingerprints, and whether what was made here may be sent under the one that a run has pinned.

Nothing here happens while the code is the one that a run was submitted with: fingerprints are compared first.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from segue.domain.envelope.changes import change_of_payload, described, drift
from segue.domain.envelope.forms import Form, form_of
from segue.domain.envelope.payload import canonical_json
from segue.domain.envelope.schema import Schema
from segue.domain.records import PayloadRecord
from segue.errors import SchemaDrift
from segue.ports.store import Store

FORMS_KEPT = 1024
"""Forms remembered at once; when there are more, they are read again."""


class Schemas:
    """What a process knows of the types of others."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._forms: dict[str, Form] = {}
        self._may_send: set[tuple[str, str]] = set()
        self._registered: set[str] = set()

    async def forms(self, fingerprints: Iterable[str]) -> dict[str, Form]:
        """The forms behind fingerprints, without those that the store does not have."""
        found = {}
        for fingerprint in sorted(set(fingerprints)):
            form = self._forms.get(fingerprint)
            if form is None and fingerprint:
                text = await self._store.read_schema(fingerprint)
                if text is not None:
                    form = form_of(json.loads(text))
                    if len(self._forms) >= FORMS_KEPT:
                        self._forms.clear()
                    self._forms[fingerprint] = form
            if form is not None:
                found[fingerprint] = form
        return found

    async def allow(self, schema: Schema[Any], pinned: str, where: str) -> None:
        """
        Let a hand-off of a type be sent where a run has pinned another: payloads in it may have other versions, each of
        which is registered. Raises SchemaDrift for everything else that differs.
        """
        if (schema.fingerprint, pinned) in self._may_send:
            return
        before = (await self.forms([pinned])).get(pinned)
        if before is not None:
            _check_same_but_versions(before, schema.form, where)
        await self.register([schema], where)
        self._may_send.add((schema.fingerprint, pinned))

    async def register(self, schemas: Iterable[Schema[Any]], where: str) -> None:
        """
        Register types that no graph has pinned, once, before something of them is sent. Raises SchemaDrift for payloads
        whose versions stand for other fields.
        """
        new = {each.fingerprint: each for each in schemas if each.fingerprint not in self._registered}
        payloads = [payload for each in new.values() for payload in each.form.payloads.values()]
        texts = {each.fingerprint: each.text for each in payloads}
        texts |= {each.fingerprint: each.text for each in new.values()}
        if texts:
            records = [PayloadRecord(each.name, each.version, each.fingerprint) for each in payloads]
            await self._store.register(records, tuple(texts.items()), where)
            self._registered |= new.keys()


def _check_same_but_versions(before: Form, now: Form, where: str) -> None:
    if canonical_json(before.root) != canonical_json(now.root):
        raise SchemaDrift(
            f"{where}: the run was submitted with an output of the type {described(before.root)}, and it is "
            f"{described(now.root)} now",
            payload=described(now.root),
            version="",
            fields=(),
            remedy="Let workers with the old code end the run, or submit it anew.",
        )
    for each in now.payloads.values():
        pinned = before.payloads.get(each.name)
        if pinned is not None and pinned.version == each.version and change_of_payload(pinned, each).fields:
            raise drift(where, pinned, each)
