"""Records of the audit log, and the code that chains them. Pure.

Each record holds its number and the code (MAC) of the record before. Its own code is a keyed BLAKE2b over its canonical
JSON: keys sorted, no spaces. Numbers are integers, so that every program encodes a record alike.
"""

import hashlib
import hmac
from typing import Any, Literal

import msgspec
from msgspec import Struct

from pageworker_supervisor.contract.job_errors import UNREADABLE

MAC_BYTES = 32
KEY_BYTES = 32
TEXT_CHARS = 500
DETAILS = 20
NO_MAC = ""
"""The code before the first record."""

ActorKind = Literal["operator", "publisher", "policy"]
"""operator: a person, by a command. publisher: who publishes modules. policy: a worker, by a decision of its own."""


class Actor(Struct, frozen=True, kw_only=True):
    """Who acted. `name` and `uid`: the local user; `program`: the words of the command, or the worker's part."""

    kind: ActorKind
    name: str
    uid: int
    host: str
    program: str


class AuditEntry(Struct, frozen=True, kw_only=True):
    """What happened. `of`: number of the record that this one tells the outcome of; 0: none."""

    action: str
    target: str = ""
    reason: str = ""
    outcome: str = ""
    of: int = 0
    detail: dict[str, str | int] = {}

    def bounded(self) -> "AuditEntry":
        """The same with texts of at most TEXT_CHARS."""
        return AuditEntry(
            action=self.action[:TEXT_CHARS],
            target=self.target[:TEXT_CHARS],
            reason=self.reason[:TEXT_CHARS],
            outcome=self.outcome[:TEXT_CHARS],
            of=self.of,
            detail={
                name[:TEXT_CHARS]: value[:TEXT_CHARS] if isinstance(value, str) else value
                for name, value in list(self.detail.items())[:DETAILS]
            },
        )


class AuditLine(Struct, frozen=True):
    """A record as it is stored and exported: its fields, and its code in hexadecimal digits."""

    record: dict[str, Any]
    mac: str

    @property
    def number(self) -> int:
        """Its number; 0 if it has none."""
        return _integer(self.record.get("seq"))

    @property
    def previous(self) -> str:
        """The code of the record before, as it says."""
        return str(self.record.get("previous", ""))

    @property
    def key_id(self) -> str:
        """Which key it says that it is made with."""
        return str(self.record.get("key", ""))


class AuditKey:
    """A key of the chain. Its id is public."""

    def __init__(self, secret: bytes) -> None:
        if len(secret) != KEY_BYTES:
            raise ValueError(f"a key has {KEY_BYTES} bytes")
        self._secret = secret
        self.id = hashlib.blake2b(secret, digest_size=8, person=b"pw-audit-key-id").hexdigest()

    def mac(self, record: dict[str, Any]) -> str:
        """The code of a record."""
        return hashlib.blake2b(
            canonical(record), key=self._secret, digest_size=MAC_BYTES, person=b"pw-audit-record"
        ).hexdigest()

    def made(self, line: AuditLine) -> bool:
        """Whether this key made the code of this record."""
        return hmac.compare_digest(self.mac(line.record).encode(), line.mac.encode())

    def line(
        self, number: int, previous: str, at_ms: int, actor: Actor, entry: AuditEntry, nonce: str = ""
    ) -> AuditLine:
        """The next record. `at_ms`: now, on Redis' clock. `nonce`: tells it from one that says the same."""
        record = {
            "seq": number,
            "previous": previous,
            "at_ms": at_ms,
            "key": self.id,
            "nonce": nonce,
            **msgspec.to_builtins(actor),
            **msgspec.to_builtins(entry.bounded()),
        }
        return AuditLine(record, self.mac(record))


def canonical(record: dict[str, Any]) -> bytes:
    """The bytes that the code is over."""
    return msgspec.json.encode(record, order="deterministic")


def encode_line(line: AuditLine) -> bytes:
    """One line of JSON."""
    return msgspec.json.encode(line, order="deterministic")


def parse_line(untrusted_text: bytes) -> AuditLine | None:
    """A stored or exported record; None: it is none."""
    try:
        return msgspec.json.decode(untrusted_text, type=AuditLine)
    except UNREADABLE:
        return None


def _integer(value: object) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) else 0
