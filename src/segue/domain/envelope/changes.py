"""
What changed between two forms of a type, field by field, and whom the change breaks: readers of what was written before
it, or readers that do not have it yet.

Whether something breaks is told from the forms alone, so it is said of changes that break some values and not others.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

from segue.domain.envelope.comparison import Comparison, Fit, for_all
from segue.domain.envelope.forms import Form, PayloadForm, form_of, payload_in
from segue.domain.envelope.payload import canonical_json
from segue.domain.envelope.versions import version_key
from segue.errors import SchemaDrift

Json = dict[str, Any]

_WHOLE = "the value"
_STRUCTURE = frozenset({"properties", "required", "additionalProperties", "items", "anyOf", "enum", "const"})


class FieldChange(NamedTuple):
    """One place that is not as it was: `competitors[].name`, and what is new there."""

    field: str
    what: str

    def __str__(self) -> str:
        return f"{self.field} {self.what}"


class Change(NamedTuple):
    """
    What is new. `new_reads_old` says whether new code can read what old code wrote, `old_reads_new` the reverse: "yes",
    "no", or "unknown" where it depends on the value.
    """

    fields: tuple[FieldChange, ...]
    new_reads_old: Fit
    old_reads_new: Fit

    @property
    def breaks_readers(self) -> bool:
        """Whether something written before may be refused by code that has the change: it needs an upcaster."""
        return self.new_reads_old != "yes"

    @property
    def breaks_writers(self) -> bool:
        """Whether something that code with the change writes may be refused by code without it."""
        return self.old_reads_new != "yes"


def change_between(old_document: Json, new_document: Json) -> Change:
    """What changed between two JSON Schemas. Fields that one does not know it refuses, unless it says otherwise."""
    return change_of_forms(form_of(old_document), form_of(new_document))


def change_of_forms(old: Form, new: Form) -> Change:
    """The same for forms; payloads are compared by name, whatever their versions."""
    both = [name for name in old.payloads if name in new.payloads]
    parts = [(_WHOLE, old.root, new.root)]
    parts += [(name, old.payloads[name].document, new.payloads[name].document) for name in both]
    return Change(
        fields=tuple(each for name, before, after in parts for each in _differences(before, after, name)),
        new_reads_old=for_all([_fit(before, after) for _, before, after in parts]),
        old_reads_new=for_all([_fit(after, before) for _, before, after in parts]),
    )


def change_of_payload(old: PayloadForm, new: PayloadForm, accepted: PayloadForm | None = None) -> Change:
    """What changed in the fields of one payload; `accepted` is what the new code reads, if that is known."""
    before, after = old.document, new.document
    reads = after if accepted is None else accepted.document
    return Change(tuple(_differences(before, after, "")), _fit(before, reads), _fit(after, before))


def drift(where: str, old: PayloadForm, new: PayloadForm) -> SchemaDrift:
    """The error for a payload whose fields changed and whose version did not."""
    fields = change_of_payload(old, new).fields
    told = "; ".join(map(str, fields)) or "its fields are others"
    return SchemaDrift(
        f"{where}: {new.label} is not what was registered under that version: {told}",
        payload=new.name,
        version=new.version,
        fields=tuple(each.field for each in fields),
        remedy=f"Raise the version of {new.name} with @payload(version=...), and add an @upcast from {new.version!r}; "
        "if it is a type of its own, name it otherwise: @payload(version=..., name=...).",
    )


def is_new(
    registered: Mapping[str, str],
    given: PayloadForm,
    form_behind: Callable[[str], PayloadForm],
    *,
    where: str,
    older_too: bool,
) -> bool:
    """
    Whether a payload must be registered: its version is not among those that are, each with its fingerprint.

    Raises SchemaDrift if the version stands for other fields, and for a new version below those that are there, unless
    `older_too`: in a store that saw the new code first, an old worker that is still running may send what it has.
    """
    fingerprint = registered.get(given.version)
    if fingerprint == given.fingerprint:
        return False
    if fingerprint is not None:
        raise drift(where, form_behind(fingerprint), given)
    highest = max(registered, key=version_key, default=None)
    if highest is not None and not older_too and version_key(highest) > version_key(given.version):
        raise SchemaDrift(
            f"{where}: the version of {given.name} goes backwards: {highest!r} is registered, and {given.version!r} is "
            "new here",
            payload=given.name,
            version=given.version,
            fields=(),
            remedy=f"Give it a version above {highest!r}; versions only go up.",
        )
    return True


def _fit(source: Json, target: Json) -> Fit:
    return Comparison(source, _closed(target)).fit(source, _closed(target))


def _closed(part: Json) -> Json:
    return {"additionalProperties": False, **part} if "properties" in part else part


def _differences(old: Any, new: Any, place: str) -> Iterator[FieldChange]:
    if canonical_json(old) == canonical_json(new):
        return
    here = place or _WHOLE
    kinds = payload_in(old), payload_in(new), old.get("type"), new.get("type")
    if kinds[0] or kinds[1] or kinds[2] != kinds[3] or "anyOf" in old or "anyOf" in new:
        if described(old) == described(new):
            yield FieldChange(here, "has a default now" if "default" in new else "has no default any more")
        else:
            yield FieldChange(here, f"was {described(old)} and is {described(new)}")
        return
    if "properties" in old and "properties" in new:
        yield from _changed_fields(old, new, place)
    elif "items" in old and "items" in new:
        yield from _differences(old["items"], new["items"], f"{place}[]")
    elif isinstance(old.get("additionalProperties"), dict) and isinstance(
        new.get("additionalProperties"), dict
    ):
        yield from _differences(old["additionalProperties"], new["additionalProperties"], f"{place}{{}}")
    elif _values(old) != _values(new):
        yield from _changed_values(old, new, here)
    for word in sorted((old.keys() | new.keys()) - _STRUCTURE):
        if old.get(word) != new.get(word):
            yield FieldChange(here, _changed_word(word, new.get(word)))


def _changed_fields(old: Json, new: Json, place: str) -> Iterator[FieldChange]:
    before, after = old["properties"], new["properties"]
    needed = set(old.get("required", ())), set(new.get("required", ()))
    for name in sorted(before.keys() | after.keys()):
        field = f"{place}.{name}" if place else name
        if name not in after:
            yield FieldChange(field, "was removed")
        elif name not in before:
            yield FieldChange(field, f"was added, {'required' if name in needed[1] else 'optional'}")
        else:
            if (name in needed[0]) != (name in needed[1]):
                yield FieldChange(field, "is required now" if name in needed[1] else "is optional now")
            yield from (
                each
                for each in _differences(before[name], after[name], field)
                if "default" not in each.what or name in needed[0] & needed[1]
            )
    if old.get("additionalProperties") != new.get("additionalProperties"):
        yield FieldChange(place or _WHOLE, "treats other fields in another way")


def _changed_values(old: Json, new: Json, here: str) -> Iterator[FieldChange]:
    before, after = _values(old), _values(new)
    if before is None or after is None:
        yield FieldChange(here, "takes only some values now" if before is None else "takes other values too")
        return
    gone, added = (
        [each for each in before if each not in after],
        [each for each in after if each not in before],
    )
    if gone:
        yield FieldChange(here, f"does not take {', '.join(map(repr, gone))} any more")
    if added:
        yield FieldChange(here, f"takes {', '.join(map(repr, added))} too")


def _changed_word(word: str, value: Any) -> str:
    if word == "default":
        return "has a default now" if value else "has no default any more"
    return f"has no {word} any more" if value is None else f"has the {word} {value!r} now"


def _values(part: Json) -> list[Any] | None:
    if "const" in part:
        return [part["const"]]
    return list(part["enum"]) if "enum" in part else None


def described(part: Any) -> str:
    """A part of a form in a few words: `list of string`, `Findings | null`."""
    name = payload_in(part)
    if name is not None:
        return name
    if "anyOf" in part or "oneOf" in part:
        return " | ".join(described(each) for each in part.get("anyOf") or part["oneOf"])
    kind = part.get("type", "anything")
    if kind == "array" and "items" in part:
        return f"list of {described(part['items'])}"
    if kind == "object" and isinstance(part.get("additionalProperties"), dict):
        return f"map of {described(part['additionalProperties'])}"
    return str(part.get("format", kind))
