"""Frames without I/O: parses bytes into the messages of whole frames, and encodes messages as frames."""

import struct

import msgspec

from pageworker_sandbox.wire.errors import ProtocolViolation
from pageworker_sandbox.wire.messages import Message, MessageSpec

HEADER = struct.Struct("!BBI")
"""Kind, number of descriptors, length of the body."""

_encoder = msgspec.msgpack.Encoder()


def encode(specs: dict[int, MessageSpec], message: Message, descriptors: int = 0) -> bytes:
    """The message as one frame. Raises ProtocolViolation for a message that this side must not send: a bug of ours."""
    name = type(message).__name__
    kind = next((kind for kind, spec in specs.items() if spec.message is type(message)), None)
    if kind is None:
        raise ProtocolViolation(f"{name} is not a message of this direction")
    body = _encoder.encode(message)
    if len(body) > specs[kind].max_bytes:
        raise ProtocolViolation(f"{name} has {len(body)} bytes, at most {specs[kind].max_bytes} are permitted")
    if descriptors != specs[kind].descriptors:
        raise ProtocolViolation(f"{name} must carry {specs[kind].descriptors} descriptors, not {descriptors}")
    return HEADER.pack(kind, descriptors, len(body)) + body


class Parser:
    """Splits an untrusted byte stream into frames of one direction, and decodes their messages.

    Holds at most one incomplete frame. Checks the length of a body before it waits for the body.
    """

    def __init__(self, specs: dict[int, MessageSpec]) -> None:
        self._specs = specs
        self._decoders = {kind: msgspec.msgpack.Decoder(spec.message) for kind, spec in specs.items()}
        self._untrusted = bytearray()

    def feed(self, untrusted_bytes: bytes) -> list[Message]:
        """Add bytes. Returns the messages of all frames that are now complete. Raises ProtocolViolation.

        Each frame announces the number of descriptors that its message carries, as the specs have it.
        """
        self._untrusted += untrusted_bytes
        messages: list[Message] = []
        while len(self._untrusted) >= HEADER.size:
            kind, descriptors, length = HEADER.unpack_from(self._untrusted)
            spec = self._specs.get(kind)
            if spec is None:
                raise ProtocolViolation(f"unknown kind of message: {kind}")
            name = spec.message.__name__
            if length > spec.max_bytes:
                raise ProtocolViolation(f"{name} has {length} bytes, at most {spec.max_bytes} are permitted")
            if descriptors != spec.descriptors:
                raise ProtocolViolation(f"{name} must carry {spec.descriptors} descriptors, not {descriptors}")
            end = HEADER.size + length
            if len(self._untrusted) < end:
                break
            messages.append(self._decode(kind, bytes(self._untrusted[HEADER.size : end])))
            del self._untrusted[:end]
        return messages

    def _decode(self, kind: int, body: bytes) -> Message:
        try:
            message: Message = self._decoders[kind].decode(body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise ProtocolViolation(f"{self._specs[kind].message.__name__} is malformed: {error}") from error
        return message
