"""Where the spans of a job belong: its trace, the caller's span, and whether the trace is sampled. Pure.

Source: W3C Trace Context. `traceparent` is `00-<trace id>-<parent's span id>-<flags>`.
"""

import hashlib
import secrets

from msgspec import Struct

from pageworker_supervisor.contract.job import JobRef

NO_TRACE, NO_SPAN = "0" * 32, "0" * 16
"""Ids that W3C Trace Context forbids."""
TRACEPARENT_CHARS = 55
SAMPLED = 1
"""Bit of the flags."""


class CallerSpan(Struct, frozen=True):
    """A span of the producer, from a `traceparent`."""

    span_id: str
    sampled: bool


def trace_id_of(trace: str | None, ref: JobRef) -> str:
    """The trace id of a job, 32 hex digits: the producer's, or one that every worker derives alike."""
    if trace is None:
        return hashlib.blake2b(str(ref).encode(), digest_size=16).hexdigest()
    return trace if len(trace) == len(NO_TRACE) else trace.split("-")[1]


def caller_of(trace: str | None) -> CallerSpan | None:
    """The caller's span; None if `trace` is not a valid `traceparent`: a bare trace id, or None."""
    if trace is None or len(trace) != TRACEPARENT_CHARS:
        return None
    version, trace_id, span_id, flags = trace.split("-")
    if version == "ff" or trace_id == NO_TRACE or span_id == NO_SPAN:
        return None
    return CallerSpan(span_id, bool(int(flags, 16) & SAMPLED))


def traceparent(trace_id: str, span_id: str, *, sampled: bool) -> str:
    """The header that continues a trace below this span."""
    return f"00-{trace_id}-{span_id}-{int(sampled):02x}"


def is_sampled(trace_id: str, caller: CallerSpan | None, sample_ratio: float) -> bool:
    """Parent-based: as the caller decided; without a caller, a share of all trace ids, the same on every worker.

    The share is that of OpenTelemetry's TraceIdRatioBased: the lower 8 bytes of the id, as a number, are below it.
    """
    if trace_id == NO_TRACE:
        return False
    if caller is not None:
        return caller.sampled
    return int(trace_id[16:], 16) < round(sample_ratio * 2**64)


def job_span_id(trace_id: str, ref: JobRef) -> str:
    """The id of the span of the whole job, which every worker derives alike."""
    return hashlib.blake2b(f"{trace_id} {ref}".encode(), digest_size=8).hexdigest()


def new_span_id() -> str:
    """A random id."""
    return secrets.token_hex(8)
