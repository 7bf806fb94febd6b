"""A name server for the attacks. Some names have another address each time they are asked for."""

import socket
import struct
import threading
from contextlib import suppress

from pw_escape.network import METADATA, PRIVATE, PUBLIC

A, AAAA, IN = 1, 28, 1
RECORDS: dict[str, tuple[tuple[str, ...], ...]] = {
    "shop.test": ((PUBLIC,),),
    "other.test": ((PUBLIC,),),
    "private.test": ((PRIVATE,),),
    "metadata.test": ((METADATA,),),
    "loopback.test": (("127.0.0.1",),),
    "nowhere.test": (("0.0.0.0",),),
    "mixed.test": ((PUBLIC, PRIVATE),),
    "mapped.test": (("::ffff:10.9.8.7",),),
    "nat64.test": (("64:ff9b::a09:807",),),
    "unique.test": (("fd00::7",),),
    "rebind.test": ((PUBLIC,), (PRIVATE,)),
    "localhost": (("127.0.0.1",),),
}
"""Addresses by name, for the first question, the second one, and so on. The last ones repeat."""


class NameServer:
    """On 127.0.0.1:53, in a thread of its own."""

    def __init__(self) -> None:
        self._asked: dict[tuple[str, int], int] = {}
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._socket.bind(("127.0.0.1", 53))
        threading.Thread(target=self._serve, daemon=True).start()

    def forget(self) -> None:
        """Start counting again: the next question for each name is the first one."""
        self._asked.clear()

    def close(self) -> None:
        """Answer no more."""
        self._socket.close()

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                question, asker = self._socket.recvfrom(512)
                self._socket.sendto(self._answer(question), asker)

    def _answer(self, question: bytes) -> bytes:
        labels, at = [], 12
        while length := question[at]:
            labels.append(question[at + 1 : at + 1 + length].decode().lower())
            at += 1 + length
        name = ".".join(labels)
        (kind,) = struct.unpack_from("!H", question, at + 1)
        records = self._addresses(name, kind)
        head = question[:2] + struct.pack("!HHHHH", 0x8180 if name in RECORDS else 0x8183, 1, len(records), 0, 0)
        body = b"".join(b"\xc0\x0c" + struct.pack("!HHIH", kind, IN, 0, len(packed)) + packed for packed in records)
        return head + question[12 : at + 5] + body

    def _addresses(self, name: str, kind: int) -> list[bytes]:
        sets = RECORDS.get(name, ((),))
        before = self._asked.get((name, kind), 0)
        self._asked[name, kind] = before + 1
        found = sets[min(before, len(sets) - 1)]
        family = socket.AF_INET6 if kind == AAAA else socket.AF_INET
        return [
            socket.inet_pton(family, text) for text in found if (":" in text) == (kind == AAAA) and kind in (A, AAAA)
        ]
