"""Pointers to bytes that are too large for an envelope, usable as a field of any payload."""

from __future__ import annotations

import re
from collections.abc import AsyncIterable, AsyncIterator
from contextvars import ContextVar
from typing import Any, ClassVar, NoReturn, Protocol, runtime_checkable

from pydantic import GetCoreSchemaHandler, TypeAdapter
from pydantic_core import CoreSchema, SchemaSerializer, core_schema

from segue.domain.envelope.limits import INTEGER_MAX
from segue.domain.envelope.payload import DIGEST_PREFIX
from segue.domain.envelope.waiting import Waitable
from segue.errors import ArtifactError, InvalidPayload, NoAttemptError

COLLECTED = "segue_artifacts"
"""The key of the serialisation context under which a list collects the artifacts found inside a value."""
HOME = "segue_home"
"""The key of the validation context under which artifacts find the home that they are read from."""

_SCHEME = "segue://"
_OWN_URI = re.compile(rf"{_SCHEME}{DIGEST_PREFIX}[0-9a-f]{{64}}")
_URI = re.compile(r"[a-z][a-z0-9+.-]*:[^\s]+")
_MEDIA_TYPE = re.compile(r"[\w.+-]+/[\w.+-]+(?:\s*;\s*[\w.-]+=[^\s;]+)*")


@runtime_checkable
class FilePath(Protocol):
    """A path of the file system, such as `pathlib.Path`."""

    def __fspath__(self) -> str: ...


class ArtifactHome(Protocol):
    """Where artifacts are written while an agent runs, and read then and later."""

    def put(self, content: bytes | AsyncIterable[bytes] | FilePath, media_type: str) -> Waitable[Artifact]:
        """Store bytes under the token of the running attempt; the artifact remembers this home."""
        ...

    def get(self, artifact: Artifact) -> Waitable[bytes]:
        """All the bytes, verified. Raises ArtifactError."""
        ...

    def stream(self, artifact: Artifact) -> AsyncIterator[bytes]:
        """The bytes in pieces, verified at the end. Raises ArtifactError."""
        ...


artifact_home: ContextVar[ArtifactHome | None] = ContextVar("artifact_home", default=None)
"""The home of the attempt that runs here; set by the engine."""


class Artifact:
    """
    A pointer to bytes outside the envelope: `segue://sha256:…` for those that Segue keeps.

    Pointers of other schemes (`s3://`, `file://` …) cross unchanged and are opened by your own client.
    `size` is in bytes and None where it is not known. Raises InvalidPayload for a malformed pointer.
    """

    __slots__ = ("_home", "media_type", "size", "uri")

    uri: str
    media_type: str
    size: int | None
    _home: ArtifactHome | None
    # Lets an artifact inside a field of type Any be serialised like any other.
    __pydantic_serializer__: ClassVar[SchemaSerializer]

    def __init__(
        self,
        uri: str,
        media_type: str = "application/octet-stream",
        size: int | None = None,
        *,
        home: ArtifactHome | None = None,
    ) -> None:
        _check(uri, media_type, size)
        put = object.__setattr__
        put(self, "uri", uri)
        put(self, "media_type", media_type)
        put(self, "size", size)
        put(self, "_home", home)

    @classmethod
    def write(
        cls, data: bytes | str | AsyncIterable[bytes] | FilePath, media_type: str | None = None
    ) -> Waitable[Artifact]:
        """
        Store bytes, text (as UTF-8), a stream of bytes or a file; await it (or `.wait()`) for the pointer.

        Raises NoAttemptError outside a running agent.
        """
        home = artifact_home.get()
        if home is None:
            raise NoAttemptError(
                "Artifact.write was called outside a running agent",
                remedy="Call it inside an agent, which is what the artifact is registered with.",
            )
        if isinstance(data, str):
            return home.put(data.encode(), media_type or "text/plain; charset=utf-8")
        return home.put(data, media_type or "application/octet-stream")

    @classmethod
    def of_digest(
        cls, digest: str, media_type: str, size: int, *, home: ArtifactHome | None = None
    ) -> Artifact:
        """The pointer to bytes that Segue keeps under a digest (`sha256:…`)."""
        return cls(_SCHEME + digest, media_type, size, home=home)

    @property
    def digest(self) -> str | None:
        """The digest (`sha256:…`) of bytes that Segue keeps; None for a pointer of another scheme."""
        return self.uri[len(_SCHEME) :] if self.uri.startswith(_SCHEME) else None

    def read(self) -> Waitable[bytes]:
        """All the bytes, verified. Raises ArtifactError if they are missing or were changed."""
        return self._open().get(self)

    def text(self) -> Waitable[str]:
        """The bytes as UTF-8 text. Raises ArtifactError."""
        return self.read().then(self._decode)

    def stream(self) -> AsyncIterator[bytes]:
        """The bytes in pieces, for content that should not be in memory at once. Raises ArtifactError."""
        return self._open().stream(self)

    def document(self) -> dict[str, Any]:
        """The JSON form."""
        return {"uri": self.uri, "media_type": self.media_type, "size": self.size}

    def _open(self) -> ArtifactHome:
        if self.digest is None:
            raise ArtifactError(f"Segue does not read {self.uri}", remedy="Open it with your own client.")
        home = self._home or artifact_home.get()
        if home is None:
            raise NoAttemptError(
                f"the artifact {self.uri} was read outside a running agent and does not come from a result",
                remedy="Read it inside an agent, or from the result of segue.run(...).",
            )
        return home

    def _decode(self, data: bytes) -> str:
        try:
            return data.decode()
        except UnicodeDecodeError as error:
            raise ArtifactError(f"the artifact {self.uri} is not UTF-8 text: {error}") from None

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError(f"an artifact cannot be changed (tried to set {name!r})")

    def __delattr__(self, name: str) -> NoReturn:
        raise AttributeError(f"an artifact cannot be changed (tried to delete {name!r})")

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Artifact) and self._key == other._key

    def __hash__(self) -> int:
        return hash(self._key)

    def __repr__(self) -> str:
        return f"Artifact({self.uri!r}, {self.media_type!r}, {self.size!r})"

    @property
    def _key(self) -> tuple[str, str, int | None]:
        return self.uri, self.media_type, self.size

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        fields = core_schema.with_info_after_validator_function(
            _from_fields,
            core_schema.typed_dict_schema(
                {
                    "uri": core_schema.typed_dict_field(core_schema.str_schema()),
                    "media_type": core_schema.typed_dict_field(core_schema.str_schema(), required=False),
                    "size": core_schema.typed_dict_field(
                        core_schema.nullable_schema(core_schema.int_schema()), required=False
                    ),
                },
                ref="segue.Artifact",
                cls_name="Artifact",
            ),
        )
        return core_schema.json_or_python_schema(
            json_schema=fields,
            python_schema=core_schema.no_info_wrap_validator_function(_as_it_is, fields),
            serialization=core_schema.plain_serializer_function_ser_schema(_to_fields, info_arg=True),
        )


def _check(uri: Any, media_type: Any, size: Any) -> None:
    own = isinstance(uri, str) and uri.startswith(_SCHEME)
    if not (isinstance(uri, str) and (_OWN_URI if own else _URI).fullmatch(uri)):
        raise InvalidPayload(
            f"{str(uri)[:200]!r} is not the URI of an artifact",
            remedy=f"Use what Artifact.write returns ({_SCHEME}{DIGEST_PREFIX}…), or a URI such as s3://bucket/key.",
        )
    if not (isinstance(media_type, str) and _MEDIA_TYPE.fullmatch(media_type)):
        raise InvalidPayload(f"{str(media_type)[:200]!r} is not a media type such as 'text/csv'")
    if size is not None and not (type(size) is int and 0 <= size <= INTEGER_MAX):
        raise InvalidPayload("the size of an artifact is a whole number of bytes from 0, or None")


def _from_fields(fields: dict[str, Any], info: core_schema.ValidationInfo) -> Artifact:
    home = info.context.get(HOME) if isinstance(info.context, dict) else None
    try:
        return Artifact(**fields, home=home)
    except InvalidPayload as error:
        # pydantic adds the field's name
        raise ValueError(str(error).splitlines()[0]) from None


def _as_it_is(value: Any, read: core_schema.ValidatorFunctionWrapHandler) -> Any:
    return value if isinstance(value, Artifact) else read(value)


def _to_fields(artifact: Artifact, info: core_schema.SerializationInfo) -> dict[str, Any]:
    if isinstance(info.context, dict) and COLLECTED in info.context:
        info.context[COLLECTED].append(artifact)
    return artifact.document()


Artifact.__pydantic_serializer__ = TypeAdapter(Artifact).serializer
