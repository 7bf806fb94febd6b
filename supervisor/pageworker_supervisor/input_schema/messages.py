"""What the supervisor and a schema checker exchange: frames of MessagePack, each behind its length in four bytes."""

from collections.abc import Iterator
from typing import Literal

import msgspec
from msgspec import Struct

LENGTH_BYTES = 4

SchemaKind = Literal["input", "output"]
"""Of a payload, or of what a handler returns."""


class PayloadMistake(Struct, frozen=True):
    """One broken rule of a schema. `field` is a path such as `payload.items[0].url`, or `data.price` of a result."""

    field: str
    rule: str
    hint: str = ""

    def __str__(self) -> str:
        return f"`{self.field}`: {self.rule}" + (f"; {self.hint}" if self.hint else "")


class SchemaCheck(Struct, array_like=True):
    """Check a payload, or the data of a result. `schema`: JSON, or None if the checker got this bundle's before.

    `kind`: which of the bundle's two schemas it is. `payload`: JSON.
    """

    sha256: str
    payload: bytes
    schema: bytes | None = None
    kind: SchemaKind = "input"


class SchemaAnswer(Struct, array_like=True):
    """`mistakes`: none if the value matches. `unusable`: why the schema cannot be used.

    `unknown`: the checker does not have the schema (any more). `too_large`: compiled, it is too large to be kept.
    `bug`: the traceback of an unexpected error. `seconds`: processor time of the check, without the compilation.
    """

    mistakes: tuple[PayloadMistake, ...] = ()
    unusable: str | None = None
    unknown: bool = False
    too_large: bool = False
    bug: str | None = None
    seconds: float = 0.0


_encoder = msgspec.msgpack.Encoder()


def frame(message: SchemaCheck | SchemaAnswer) -> bytes:
    """The bytes of a message, with its length."""
    body = _encoder.encode(message)
    return len(body).to_bytes(LENGTH_BYTES) + body


def take_frames(buffer: bytearray) -> Iterator[bytes]:
    """The bodies of the complete frames at the front of the buffer. They are removed from it."""
    while len(buffer) >= LENGTH_BYTES:
        end = LENGTH_BYTES + int.from_bytes(buffer[:LENGTH_BYTES])
        if len(buffer) < end:
            return
        body = bytes(buffer[LENGTH_BYTES:end])
        del buffer[:end]
        yield body
