"""
What the agents of a program take and give, as a snapshot that can be committed, and what has changed since one.

A change is wrong if its version does not say so, or if something that was written before it could not be read any more.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Literal, NamedTuple

from segue.domain.envelope.changes import Change, change_of_payload, described
from segue.domain.envelope.comparison import Comparison
from segue.domain.envelope.forms import Form, PayloadForm, form_of
from segue.domain.envelope.payload import canonical_json
from segue.domain.envelope.upcasting import payloads_together
from segue.domain.envelope.versions import chain, version_key
from segue.domain.graph.agent import Agent
from segue.errors import InvalidPayload

Json = dict[str, Any]
FORMAT = 1
"""The format of snapshots; one of another format is refused."""

Kind = Literal["drift", "backwards", "needs upcaster", "signature", "changed", "new", "gone"]


class Finding(NamedTuple):
    """
    What is not as it was. `fails` says that it must be mended, `fields` where it differs.

    `drift`: other fields under the same version. `backwards`: a lower version. `needs upcaster`: what was written
    before may not be read. `signature`: an agent takes or gives another type under the same version. The rest is fine.
    """

    kind: Kind
    subject: str
    message: str
    fields: tuple[str, ...] = ()

    @property
    def fails(self) -> bool:
        """Whether it must be mended."""
        return self.kind in ("drift", "backwards", "needs upcaster", "signature")


class CodeSchemas(NamedTuple):
    """
    The agents of a program by name, with their payloads as they are written and as they are read, and the classes that
    have the upcasters, by name of payload.
    """

    agents: Mapping[str, Agent[Any]]
    payloads: Mapping[str, PayloadForm]
    accepted: Mapping[str, PayloadForm]
    classes: Mapping[str, type]

    def can_upcast(self, name: str, version: str) -> bool:
        """Whether upcasters lead from a version of a payload to that of the code."""
        cls = self.classes.get(name)
        return cls is not None and chain(cls, version) is not None

    def change_since(self, old: PayloadForm) -> Change:
        """What changed in a payload that the code has."""
        return change_of_payload(old, self.payloads[old.name], self.accepted[old.name])


def code_schemas(agents: Iterable[Agent[Any]]) -> CodeSchemas:
    """What agents take and give. Raises DefinitionError for what does not go together."""
    by_name = {agent.name: agent for agent in agents}
    schemas = [
        schema
        for agent in by_name.values()
        for schema in (*agent.input_schemas.values(), agent.output_schema)
    ]
    payloads = payloads_together(schemas)
    accepted = {name: form for schema in schemas for name, form in form_of(schema.accepted).payloads.items()}
    classes = {name: cls for schema in schemas for name, cls in schema.classes.items()}
    return CodeSchemas(by_name, payloads, accepted, classes)


def snapshot_of(code: CodeSchemas) -> Json:
    """The snapshot of a program: what is committed beside it."""
    return {
        "segue-schemas": FORMAT,
        "payloads": {
            name: {"version": form.version, "schema": form.document}
            for name, form in sorted(code.payloads.items())
        },
        "agents": {
            name: {
                "version": agent.version,
                "takes": {key: schema.form.root for key, schema in sorted(agent.input_schemas.items())},
                "needs": sorted(each.name for each in agent.signature.parameters if each.required),
                "gives": agent.output_schema.form.root,
            }
            for name, agent in sorted(code.agents.items())
        },
    }


def snapshot_from(text: str, where: str) -> Json:
    """Read a snapshot. Raises InvalidPayload."""
    try:
        document: Json = json.loads(text)
        if document["segue-schemas"] != FORMAT:
            raise ValueError(f"it has the format {document['segue-schemas']!r}, and this reads {FORMAT}")
        for each in document["payloads"].values():
            PayloadForm("", each["version"], dict(each["schema"]))
        for each in document["agents"].values():
            dict(each["takes"]), list(each["needs"]), dict(each["gives"]), str(each["version"])
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise InvalidPayload(
            f"{where} is no snapshot of schemas: {type(error).__name__}: {error}",
            remedy="Restore it from version control, or make it anew: segue schema check MODULE --update.",
        ) from None
    return document


def findings(snapshot: Json, code: CodeSchemas) -> list[Finding]:
    """Everything that is not as in a snapshot, what must be mended first."""
    found: list[Finding] = []
    before = {
        name: PayloadForm(name, each["version"], each["schema"])
        for name, each in snapshot["payloads"].items()
    }
    for name in sorted(before.keys() | code.payloads.keys()):
        if name not in code.payloads:
            found.append(Finding("gone", name, f"{before[name].label} is not in the code any more"))
        elif name not in before:
            found.append(Finding("new", name, f"{code.payloads[name].label} is new"))
        else:
            found += _payload_findings(before[name], code)
    for name, then in sorted(snapshot["agents"].items()):
        agent = code.agents.get(name)
        if agent is not None:
            found += _agent_findings(agent, then)
    return sorted(found, key=lambda each: not each.fails)


def _payload_findings(old: PayloadForm, code: CodeSchemas) -> Iterator[Finding]:
    new = code.payloads[old.name]
    change = code.change_since(old)
    told, fields = "; ".join(map(str, change.fields)), tuple(each.field for each in change.fields)
    if old.version == new.version:
        if change.fields:
            remedy = "raise its version" + (", and add an upcaster" if change.breaks_readers else "")
            yield Finding(
                "drift", old.name, f"{old.label} has changed under its version: {told}: {remedy}", fields
            )
    elif version_key(new.version) < version_key(old.version):
        yield Finding(
            "backwards", old.name, f"the version of {old.name} was {old.version} and is {new.version}", fields
        )
    elif change.breaks_readers and not code.can_upcast(old.name, old.version):
        wanted = f'@upcast({old.name}, "{old.version}", "{new.version}")'
        message = f"{old.label} cannot be read as {new.label}: {told}: add {wanted}"
        yield Finding("needs upcaster", old.name, message, fields)
    else:
        yield Finding(
            "changed", old.name, f"{old.label} is {new.label} now: {told or 'no field differs'}", fields
        )


def _agent_findings(agent: Agent[Any], then: Json) -> Iterator[Finding]:
    kind: Kind = "signature" if agent.version == then["version"] else "changed"
    for message in signature_changes(agent, then["takes"], then["gives"]):
        yield Finding(kind, agent.name, f"agent {agent.name!r} {message}")
    given = then["takes"].keys()
    for parameter in agent.signature.parameters:
        if parameter.required and parameter.name not in given:
            yield Finding(kind, agent.name, f"agent {agent.name!r} needs {parameter.name!r}, which is new")


def signature_changes(agent: Agent[Any], takes: Mapping[str, Json], gives: Json | None) -> Iterator[str]:
    """What an agent does not take any more, or gives otherwise, outside of payloads. `gives` None: nothing is known."""
    for name, part in takes.items():
        schema = agent.input_schemas.get(name)
        if schema is None:
            yield f"does not take {name!r} any more"
        elif not _takes(part, schema.form):
            yield f"takes {name!r} as {described(schema.form.root)} and took it as {described(part)}"
    now = agent.output_schema.form.root
    if gives is not None and canonical_json(gives) != canonical_json(now):
        yield f"gives {described(now)} and gave {described(gives)}"


def _takes(given: Json, wanted: Form) -> bool:
    return (
        canonical_json(given) == canonical_json(wanted.root)
        or Comparison(given, wanted.root).fit(given, wanted.root) == "yes"
    )
