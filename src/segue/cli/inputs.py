"""What was typed after `--input`, as the arguments of a workflow."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from segue.domain.envelope.payload import parse_json
from segue.domain.envelope.schema import schema_of
from segue.domain.graph.workflow import Built
from segue.errors import InputError, PayloadError


def input_values(built: Built, text: str | None) -> dict[str, Any]:
    """
    The arguments that a text stands for: JSON, `@file` or `-` for standard input.

    An object whose keys are all parameters gives each its value; for a workflow with one parameter, anything else is
    the value of that one. Raises InputError, naming the parameter where there is one.
    """
    if text is None:
        return {}
    given = json_value(text)
    parameters = {parameter.name: parameter for parameter in built.inputs}
    if not (isinstance(given, dict) and (given.keys() <= parameters.keys() or len(parameters) != 1)):
        if len(parameters) != 1:
            wanted = ", ".join(f'"{name}": ...' for name in parameters)
            raise InputError(
                f"--input is {type(given).__name__} and not an object with the parameters of the workflow",
                remedy=f"Write it like {{{wanted}}}.",
            )
        given = {next(iter(parameters)): given}
    values = {}
    for name, value in given.items():
        if name not in parameters:
            values[name] = value
            continue
        schema = schema_of(parameters[name].annotation)
        try:
            values[name] = schema.load(json.dumps(value).encode(), where=f"input {name!r}")
        except PayloadError as error:
            raise InputError(error.message, remedy=f"Give {name!r} as {schema.name}.") from error
    return values


def json_value(text: str, option: str = "--input") -> Any:
    """What a text stands for: JSON, `@file` or `-` for standard input. Raises InputError, naming the option."""
    where = option
    try:
        if text == "-":
            where = "standard input"
            data: str | bytes = sys.stdin.buffer.read()
        elif text.startswith("@"):
            where = f"the file {text[1:]!r}"
            data = Path(text[1:]).read_bytes()
        else:
            data = text
    except OSError as error:
        raise InputError(
            f"{where} cannot be read: {error.strerror or error}",
            remedy=f"Give a file that is there: {option} @file.json",
        ) from error
    try:
        return parse_json(data, where)
    except PayloadError as error:
        raise InputError(error.message, remedy=_remedy(text, option, error.remedy)) from error


def _remedy(text: str, option: str, remedy: str | None) -> str | None:
    """A text that is no JSON was most often meant as one string."""
    if text == "-" or text.startswith(("@", "{", "[", '"')):
        return remedy
    return f"A plain text needs quotes of its own: {option} '{json.dumps(text, ensure_ascii=False)}'"
