"""What an attempt used, and what else may be attached to a hand-off."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from segue.domain.envelope.limits import COST_MAXIMUM, TOKENS_MAXIMUM
from segue.errors import InvalidPayload


@dataclass(frozen=True, slots=True)
class Usage:
    """
    What a language model took for an output, as far as it is known. `cost` is in US dollars.

    Raises InvalidPayload for numbers that cannot be.
    """

    input_tokens: int | None = None
    output_tokens: int | None = None
    model: str | None = None
    cost: float | None = None

    def __post_init__(self) -> None:
        for name in ("input_tokens", "output_tokens"):
            count = getattr(self, name)
            if count is not None and not (type(count) is int and 0 <= count <= TOKENS_MAXIMUM):
                raise InvalidPayload(
                    f"{name} of a usage is no number of tokens",
                    remedy=f"Give a whole number from 0 to {TOKENS_MAXIMUM:,}, or None.",
                )
        if self.cost is not None and not (type(self.cost) in (int, float) and 0 <= self.cost <= COST_MAXIMUM):
            raise InvalidPayload(
                "cost of a usage is no number of dollars",
                remedy=f"Give a number from 0 to {COST_MAXIMUM:,}, or None.",
            )
        if self.model is not None and not isinstance(self.model, str):
            raise InvalidPayload(f"model is {self.model!r}; it must be a string, or None")

    def document(self) -> dict[str, Any]:
        """The JSON form: only what is known."""
        values = (
            ("input_tokens", self.input_tokens),
            ("output_tokens", self.output_tokens),
            ("model", self.model),
            ("cost", self.cost),
        )
        return {name: value for name, value in values if value is not None}


@dataclass(frozen=True, slots=True)
class Attachment:
    """
    Something typed beside the output, for receivers that know its kind; others pass it on untouched.

    `digest` addresses its bytes (`sha256:…`), `model_fingerprint` says which model made it where only the
    same model can use it, `data` is small JSON data in place.
    """

    kind: str
    media_type: str = "application/json"
    digest: str | None = None
    model_fingerprint: str | None = None
    data: Any = None

    def __post_init__(self) -> None:
        for name in ("kind", "media_type", "digest", "model_fingerprint"):
            value = getattr(self, name)
            if not isinstance(value, str) and not (value is None and name in ("digest", "model_fingerprint")):
                raise InvalidPayload(f"the {name} of an attachment is {value!r}; it must be a string")

    def document(self) -> dict[str, Any]:
        """The JSON form."""
        return {
            "kind": self.kind,
            "media_type": self.media_type,
            "digest": self.digest,
            "model_fingerprint": self.model_fingerprint,
            "data": self.data,
        }
