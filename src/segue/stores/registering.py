"""Which payloads a store has still to register: the same in every store."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping

from segue.domain.envelope.changes import is_new
from segue.domain.envelope.forms import PayloadForm
from segue.domain.records import NewRun, PayloadRecord


def unregistered(
    payloads: Iterable[PayloadRecord],
    given: Mapping[str, str],
    registered: Callable[[str], Mapping[str, str]],
    kept: Callable[[str], str | None],
    *,
    where: str,
    older_too: bool,
) -> list[PayloadRecord]:
    """
    Those that are new here, each once. `given` and `kept` have JSON Schemas by fingerprint, `registered` the
    fingerprints of a payload by version. Raises SchemaDrift.
    """
    known: dict[str, dict[str, str]] = {}
    new: list[PayloadRecord] = []

    def form(name: str, version: str, fingerprint: str) -> PayloadForm:
        text = given.get(fingerprint) or kept(fingerprint) or "{}"
        return PayloadForm(name, version, json.loads(text))

    for name, version, fingerprint in payloads:
        versions = known.get(name)
        if versions is None:
            versions = known[name] = dict(registered(name))
        if versions.get(version) == fingerprint:
            continue
        asked = form(name, version, fingerprint)
        if is_new(
            versions,
            asked,
            lambda behind, asked=asked: form(asked.name, asked.version, behind),  # type: ignore[misc]
            where=where,
            older_too=older_too,
        ):
            versions[version] = fingerprint
            new.append(PayloadRecord(name, version, fingerprint))
    return new


def unregistered_by_runs(
    runs: Iterable[NewRun], registered: Callable[[str], Mapping[str, str]], kept: Callable[[str], str | None]
) -> list[PayloadRecord]:
    """The same for all runs of a submission, none of which is created if one of them drifts."""
    new: dict[tuple[str, str], PayloadRecord] = {}
    texts: dict[str, str] = {}

    def with_new(name: str) -> Mapping[str, str]:
        return {
            **registered(name),
            **{each.version: each.fingerprint for each in new.values() if each.name == name},
        }

    for run in runs:
        if run.payloads:
            texts |= dict(run.schemas)
            where = f"workflow {run.workflow!r}"
            found = unregistered(run.payloads, texts, with_new, kept, where=where, older_too=False)
            new |= {(each.name, each.version): each for each in found}
    return list(new.values())
