"""The base of all messages, and what most of them name."""

from typing import Annotated

from msgspec import Meta, Struct

Id = Annotated[str, Meta(min_length=1, max_length=160)]


class Message(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Base of all messages."""


class MessageSpec(Struct, frozen=True):
    """One row of a protocol: a message, its maximum size, and the number of descriptors that it carries."""

    message: type[Message]
    max_bytes: int
    descriptors: int = 0
