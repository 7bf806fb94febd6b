"""Frames, without I/O: bytes in, whole frames out, and the other way."""

import struct
from dataclasses import dataclass

import msgspec

from pageworker_sandbox.wire.errors import ProtocolViolation
from pageworker_sandbox.wire.messages import Message, MessageSpec

HEADER = struct.Struct("!BBI")

_encoder = msgspec.msgpack.Encoder()


@dataclass(frozen=True)
class Frame:
    """A decoded message and how many descriptors came with it."""

    message: Message
    descriptors: int


def encode(words: dict[int, MessageSpec], message: Message, descriptors: int = 0) -> bytes:
    """One frame. Raises ProtocolViolation where we ourselves break the vocabulary: that is a bug of ours."""
    name = type(message).__name__
    kind = next((kind for kind, word in words.items() if word.message is type(message)), None)
    if kind is None:
        raise ProtocolViolation(f"{name} is not in this direction's vocabulary")
    body = _encoder.encode(message)
    if len(body) > words[kind].max_bytes:
        raise ProtocolViolation(f"{name} of {len(body)} bytes, at most {words[kind].max_bytes}")
    if descriptors != words[kind].descriptors:
        raise ProtocolViolation(f"{name} carries {words[kind].descriptors} descriptors, not {descriptors}")
    return HEADER.pack(kind, descriptors, len(body)) + body


class Parser:
    """Cuts an untrusted byte stream into frames of one direction's vocabulary.

    Never holds more than one frame beyond what was fed; every length is checked before a byte of the body
    is waited for.
    """

    def __init__(self, words: dict[int, MessageSpec]) -> None:
        self._words = words
        self._decoders = {kind: msgspec.msgpack.Decoder(word.message) for kind, word in words.items()}
        self._untrusted = bytearray()

    def feed(self, untrusted_bytes: bytes) -> list[Frame]:
        """All frames that are now whole. Raises ProtocolViolation."""
        self._untrusted += untrusted_bytes
        frames: list[Frame] = []
        while len(self._untrusted) >= HEADER.size:
            kind, descriptors, length = HEADER.unpack_from(self._untrusted)
            word = self._words.get(kind)
            if word is None:
                raise ProtocolViolation(f"unknown kind {kind}")
            if length > word.max_bytes:
                raise ProtocolViolation(f"{word.message.__name__} of {length} bytes, at most {word.max_bytes}")
            if descriptors != word.descriptors:
                raise ProtocolViolation(f"{word.message.__name__} with {descriptors} descriptors")
            end = HEADER.size + length
            if len(self._untrusted) < end:
                break
            frames.append(Frame(self._decode(kind, bytes(self._untrusted[HEADER.size : end])), descriptors))
            del self._untrusted[:end]
        return frames

    def _decode(self, kind: int, body: bytes) -> Message:
        try:
            message: Message = self._decoders[kind].decode(body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise ProtocolViolation(f"{self._words[kind].message.__name__}: {error}") from error
        return message
