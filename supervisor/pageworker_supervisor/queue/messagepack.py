"""Requests and replies of the Redis Functions as MessagePack. Pure.

A request is one map with names. A reply is a number, a word or a list of words; or a list whose first element is a map
in MessagePack, and whose others are opaque texts. The head of each file of `queue/lua` gives the names.
"""

import struct
from collections.abc import Sequence
from typing import Any

from msgspec import Raw, msgpack

EMPTY_REQUEST = msgpack.encode({})


def packed(**request: Any) -> bytes:
    """A request as the functions read it. Bytes go through `opaque` first."""
    return msgpack.encode(request)


def opaque(text: bytes) -> Raw:
    """Bytes in a request. The `cmsgpack` of Redis 7.0 reads no binary type, so they are sent as a string of any bytes.

    https://github.com/msgpack/msgpack/blob/master/spec.md (str 32)
    """
    return Raw(b"\xdb" + struct.pack(">I", len(text)) + text)


def unpacked(reply: Sequence[bytes]) -> Any:
    """The map at the head of a reply."""
    return msgpack.decode(reply[0])
