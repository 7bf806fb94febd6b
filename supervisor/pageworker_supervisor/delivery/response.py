"""What came of one POST."""

from dataclasses import dataclass
from enum import Enum


class DeliveryTrouble(Enum):
    """Why there was no answer."""

    TIMEOUT = "timeout"
    NAME = "name not resolved"
    REFUSED = "connection refused"
    RESET = "connection reset"
    TLS = "TLS failed"
    BROKEN = "not an HTTP answer"


@dataclass(frozen=True)
class Answered:
    """The receiver answered. `untrusted_excerpt` is the beginning of the body, `retry_after` the header."""

    status: int
    untrusted_excerpt: bytes = b""
    retry_after: str | None = None


@dataclass(frozen=True)
class ReceiverUnreachable:
    """The receiver did not answer. `detail` is for the log only."""

    trouble: DeliveryTrouble
    detail: str = ""


DeliveryOutcome = Answered | ReceiverUnreachable
