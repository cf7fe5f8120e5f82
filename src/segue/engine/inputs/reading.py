"""
Reading what other code sent: each piece of an argument is brought to the form that this process has.

A path in a graph leads into the form that the run has pinned. What an older worker sent is brought up to that first,
and what the path leads to is then brought up to the receiver's form.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic_core import to_json

from segue.domain.envelope.body import assemble, parts_of
from segue.domain.envelope.forms import Form
from segue.domain.envelope.schema import Schema
from segue.domain.envelope.sealing import select, whole_output
from segue.domain.envelope.upcasting import Upcasting, newer_payload, part_at
from segue.domain.envelope.versions import version_key
from segue.domain.graph.graph import Path
from segue.domain.records import task_name
from segue.domain.rows import StoredHandoff
from segue.engine.inputs.book import LiveRun


class Reading:
    """
    Reads for one receiver's type. `forms` are those of all that it may be given, by fingerprint; `classes` have the
    upcasters, by payload.
    """

    def __init__(
        self,
        live: LiveRun,
        forms: Mapping[str, Form],
        classes: Mapping[str, type],
        schema: Schema[Any],
        where: str,
    ) -> None:
        self._live = live
        self._forms = forms
        self._classes = {**classes, **schema.classes}
        self._known = schema.form.payloads
        self._where = where
        self._unaided: dict[str, str] = {}

    @property
    def where(self) -> str:
        """How errors name the place; they say what nobody brought up."""
        unaided = ", ".join(f"{old} read as {new}" for old, new in self._unaided.items())
        return f"{self._where} ({unaided}, without an upcaster)" if unaided else self._where

    def output(self, stored: StoredHandoff, path: Path, contents: Mapping[str, bytes]) -> bytes:
        """The JSON of a hand-off's output, or of what a path leads to in it."""
        document = whole_output(stored.record, contents)
        form = self._forms.get(stored.record.schema)
        where = f"the hand-off of {task_name(stored.node, stored.item)}"
        if form is None:
            return select(document, path, where=where) if path else document
        if not path:
            return self._brought_up(document, form, form.root)
        document, form = self._as_pinned(document, form, self._pinned(stored))
        return self._brought_up(select(document, path, where=where), form, part_at(form, form.root, path))

    def check(self, stored: StoredHandoff, path: Path) -> None:
        """Raise NewerPayload or SchemaDrift if this hand-off cannot be read here."""
        form = self._forms.get(stored.record.schema)
        if form is not None:
            self._upcasting(form).check(part_at(form, form.root, path))

    def written_anew(self, stored: StoredHandoff, contents: Mapping[str, bytes]) -> StoredHandoff:
        """A hand-off with its output brought up, all of it in the body."""
        output = self.output(stored, (), contents)
        parts = {name: part for name, part in parts_of(stored.record).items() if name != "spilled"}
        body = assemble(output, to_json(parts))
        return stored._replace(record=stored.record._replace(body=body, output_size=len(output)))

    def input(self, name: str, path: Path, document: bytes) -> bytes:
        """The JSON of an input of the run, or of what a path has led to in it."""
        fingerprint = next(each.schema for each in self._live.plan.graph.inputs if each.name == name)
        form = self._forms.get(fingerprint)
        return document if form is None else self._brought_up(document, form, part_at(form, form.root, path))

    def written_down(self, fingerprint: str, document: bytes) -> bytes:
        """The JSON of an argument that the workflow, or who handed the task on, wrote for a parameter of this type."""
        form = self._forms.get(fingerprint)
        return document if form is None else self._brought_up(document, form, form.root)

    def _pinned(self, stored: StoredHandoff) -> Form | None:
        return self._forms.get(self._live.plan.steps[stored.node].node.output_schema)

    def _as_pinned(self, document: bytes, form: Form, pinned: Form | None) -> tuple[bytes, Form]:
        """Bring up what is older than what the run has pinned."""
        ahead = {
            name: each
            for name, each in ({} if pinned is None else pinned.payloads).items()
            if name in form.payloads and version_key(form.payloads[name].version) < version_key(each.version)
        }
        if not ahead or pinned is None:
            return document, form
        upcasting = Upcasting(form, ahead, self._classes, where=self._where)
        document = upcasting.document(document, form.root)
        if upcasting.unaided:
            raise newer_payload(self._where, sorted(each.label for each in ahead.values()))
        return document, Form(pinned.root, {**form.payloads, **ahead})

    def _brought_up(self, document: bytes, form: Form, part: Any) -> bytes:
        upcasting = self._upcasting(form)
        document = upcasting.document(document, part)
        for label in upcasting.unaided:
            self._unaided[label] = self._known[label.rpartition("@")[0]].label
        return document

    def _upcasting(self, form: Form) -> Upcasting:
        return Upcasting(form, self._known, self._classes, where=self._where)
