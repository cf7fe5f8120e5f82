"""
JSON Schemas of types, with what Segue adds: the version of a payload, and what a reader does with fields that it does
not know.
"""

from __future__ import annotations

from typing import Any

from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue, JsonSchemaWarningKind
from pydantic_core import CoreSchema

from segue.domain.envelope.refusing import declares_extra
from segue.domain.envelope.versions import MARK, mark_of


class JsonSchema(GenerateJsonSchema):
    """
    The document of what is written. A payload whose class says its version carries it (`MARK`), so that whoever has
    the document knows what it describes.
    """

    # A default that has no JSON form is left out of the document without a word: defaults do not decide
    # what fits.
    ignored_warning_kinds: set[JsonSchemaWarningKind] = {"skipped-choice", "non-serializable-default"}  # noqa: RUF012

    def __init__(self) -> None:
        super().__init__(by_alias=False)
        self.classes: list[tuple[str, type]] = []
        """The classes of the payloads that were met, with their titles."""

    def model_schema(self, schema: Any) -> JsonSchemaValue:
        """A model."""
        return self._payload(super().model_schema(schema), schema)

    def dataclass_schema(self, schema: Any) -> JsonSchemaValue:
        """A dataclass."""
        return self._payload(super().dataclass_schema(schema), schema)

    def typed_dict_schema(self, schema: Any) -> JsonSchemaValue:
        """A TypedDict."""
        return self._payload(super().typed_dict_schema(schema), schema)

    def _payload(self, document: JsonSchemaValue, schema: Any) -> JsonSchemaValue:
        cls = schema.get("cls")
        if cls is None:
            return document
        title = str(document.get("title", cls.__name__))
        mark = mark_of(cls, title)
        if mark is not None:
            document[MARK] = mark
        self.classes.append((mark or title, cls))
        return document


class ReadingJsonSchema(JsonSchema):
    """The document of what is accepted: no field that is not known, unless the type says what becomes of it."""

    def _payload(self, document: JsonSchemaValue, schema: Any) -> JsonSchemaValue:
        document = super()._payload(document, schema)
        if document.get("type") == "object":
            document.setdefault("additionalProperties", declares_extra(schema.get("config")))
        return document


def written(schema: CoreSchema) -> tuple[dict[str, Any], list[tuple[str, type]]]:
    """The document of what is written of a type, and the classes of the payloads in it with their titles or marks."""
    generator = JsonSchema()
    return generator.generate(schema), generator.classes


def accepted(schema: CoreSchema) -> dict[str, Any]:
    """The document of what is accepted for a type."""
    return ReadingJsonSchema().generate(schema)
