"""What follows from one try of a callback: delivered, later or given up. Pure."""

import email.utils
import math
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

BASE_SECONDS = 0.5
CAP_SECONDS = 300.0
FLOOR_SECONDS = 0.05
RETRY_AFTER_CAP_SECONDS = 3600.0

QUICK_TRIES = 50
QUICK_SECONDS = 0.1
"""n8n answers 409 until it has stored the execution that waits for the callback, usually some ten milliseconds."""

RETRIED = frozenset({408, 425, 429})
GONE = 410
RUNNING_ALREADY = b"is running already"
"""n8n, packages/cli/src/webhooks/waiting-webhooks.ts: 409 with this message, or with `has finished already`."""
STARTING_UP = {200: b"n8n is starting up", 404: b"Cannot POST /webhook"}
"""n8n, packages/cli/src/abstract-server.ts: while it starts, it answers every request with this page, and then with the
404 of Express until it knows its own paths. It has not taken the result. A 404 of n8n itself is JSON."""


class DeliveryTrouble(Enum):
    """Why there was no answer."""

    TIMEOUT = "timeout"
    NAME = "name not resolved"
    REFUSED = "connection refused"
    RESET = "connection reset"
    TLS = "TLS failed"
    BROKEN = "not an HTTP answer"
    URL = "its URL cannot be called"


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


@dataclass(frozen=True)
class Delivered:
    """The receiver has it."""


@dataclass(frozen=True)
class RetryLaterAt:
    """Try again after this many seconds."""

    delay_seconds: float
    reason: str


@dataclass(frozen=True)
class GiveUp:
    """No further try."""

    reason: str


DeliveryDecision = Delivered | RetryLaterAt | GiveUp


@dataclass(frozen=True)
class EntryAge:
    """How long an entry has been tried. `tries` counts the tries before this one."""

    tries: int
    seconds: float
    max_seconds: float
    now: float
    """Unix seconds. A Retry-After date is relative to it."""


def decide(outcome: DeliveryOutcome, age: EntryAge, random: Callable[[], float]) -> DeliveryDecision:
    """Decide after one try. `random`: uniform in [0, 1), the jitter."""
    match outcome:
        case Answered(status=status, untrusted_excerpt=excerpt) if STARTING_UP.get(status, b"\0") in excerpt:
            return _unless_too_old(_patience(age, random), f"HTTP {status}, n8n is starting up", age)
        case Answered(status=status) if 200 <= status < 300:
            return Delivered()
        case Answered(status=409, untrusted_excerpt=excerpt) if RUNNING_ALREADY in excerpt:
            if age.tries < QUICK_TRIES:
                delay = QUICK_SECONDS * (0.5 + 0.5 * random())
            else:
                delay = backoff_seconds(age.tries - QUICK_TRIES, random)
            return _unless_too_old(delay, "HTTP 409, its execution is running already", age)
        case Answered(status=status, retry_after=retry_after) if status >= 500 or status in RETRIED:
            asked = min(_seconds(retry_after, age.now), RETRY_AFTER_CAP_SECONDS)
            delay = max(asked, _patience(age, random))
            return _unless_too_old(delay, f"HTTP {status}", age)
        case Answered(status=status):
            return GiveUp(f"HTTP {status}" + (", redirects are not followed" if 300 <= status < 400 else ""))
        case ReceiverUnreachable(trouble=DeliveryTrouble.URL):
            return GiveUp(DeliveryTrouble.URL.value)
        case ReceiverUnreachable(trouble=trouble):
            return _unless_too_old(_patience(age, random), trouble.value, age)


def decide_event(outcome: DeliveryOutcome, age: EntryAge, random: Callable[[], float]) -> DeliveryDecision:
    """Decide after one try of an event of a subscription. Its receiver stays the same, so an error may be mended: after
    each answer but 410 it is tried again (Standard Webhooks, "Deliverability and reliability")."""
    match outcome:
        case Answered(status=status, untrusted_excerpt=excerpt) if STARTING_UP.get(status, b"\0") in excerpt:
            return decide(outcome, age, random)
        case Answered(status=status) if 300 <= status < 500 and status not in (GONE, *RETRIED):
            return _unless_too_old(_patience(age, random), f"HTTP {status}", age)
        case _:
            return decide(outcome, age, random)


def is_gone(outcome: DeliveryOutcome | None) -> bool:
    """True if the receiver wants no more."""
    return isinstance(outcome, Answered) and outcome.status == GONE


def backoff_seconds(tries: int, random: Callable[[], float]) -> float:
    """Full jitter: anything up to a window that doubles with each try.

    Source: https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/
    """
    window = min(CAP_SECONDS, BASE_SECONDS * 2.0 ** min(tries, 32))
    return max(FLOOR_SECONDS, window * random())


def _patience(age: EntryAge, random: Callable[[], float]) -> float:
    """Backoff that grows with time as well as with tries: after seconds of quick tries, the next one is only seconds
    away."""
    return min(backoff_seconds(age.tries, random), max(FLOOR_SECONDS, (BASE_SECONDS + 2 * age.seconds) * random()))


def _unless_too_old(delay: float, reason: str, age: EntryAge) -> DeliveryDecision:
    if age.seconds + delay > age.max_seconds:
        return GiveUp(f"{reason}; given up after {age.tries + 1} tries in {age.seconds:.0f} s")
    return RetryLaterAt(delay, reason)


def _seconds(untrusted_retry_after: str | None, now: float) -> float:
    """Retry-After is seconds or a date (RFC 9110, 10.2.3). Anything else counts as zero."""
    if untrusted_retry_after is None:
        return 0.0
    text = untrusted_retry_after.strip()
    if text.isdecimal() and len(text) < 12:
        return float(text)
    try:
        seconds = email.utils.parsedate_to_datetime(text).timestamp() - now
    except (ValueError, OverflowError):
        return 0.0
    return max(0.0, seconds) if math.isfinite(seconds) else 0.0
