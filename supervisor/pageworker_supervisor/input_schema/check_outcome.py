"""What the answer of a schema checker, or its end, means for the payload or the result. Pure."""

import signal
from typing import Any

import msgspec

from pageworker_sandbox.signing import BundleMalformed
from pageworker_supervisor.input_schema.check_limits import MIB, TIMER_SIGNAL, CheckLimits
from pageworker_supervisor.input_schema.errors import (
    CheckerEnded,
    CheckerFailed,
    CheckLimitExceeded,
    OutputInvalid,
    PayloadInvalid,
)
from pageworker_supervisor.input_schema.messages import SchemaAnswer, SchemaKind

ANY_OBJECT = {"type": "object"}
"""The schema of a module without one. Every payload and every result is an object, so there is nothing to check."""

OUT_OF_MEMORY = (-signal.SIGABRT, -signal.SIGSEGV, -signal.SIGBUS, 1)
"""A failed allocation aborts the process, or raises MemoryError. A stack that overflows is a segmentation fault."""


CHECKED: dict[SchemaKind, str] = {"input": "payload", "output": "result"}
"""What the schema of this kind is for."""


def encoded(schema: dict[str, Any], kind: SchemaKind = "input") -> bytes:
    """The JSON of a schema. Raises BundleMalformed."""
    try:
        return msgspec.json.encode(schema)
    except RecursionError as error:
        raise BundleMalformed(f"{kind} schema: it is nested too deeply") from error


def conclude(answer: SchemaAnswer, schema_name: str, kind: SchemaKind = "input") -> None:
    """Return if the value matches. Raises PayloadInvalid or OutputInvalid, BundleMalformed, CheckerFailed."""
    if answer.bug is not None:
        raise CheckerFailed(f"{schema_name}: {answer.bug}")
    if answer.unusable is not None:
        raise BundleMalformed(f"{kind} schema: {answer.unusable}")
    if answer.mistakes:
        raise PayloadInvalid(answer.mistakes) if kind == "input" else OutputInvalid(answer.mistakes)


def exceeded(
    ended: CheckerEnded, schema_name: str, limits: CheckLimits, kind: SchemaKind = "input"
) -> CheckLimitExceeded:
    """The error of a check that ended its own checker. Raises OSError if the limits did not end it."""
    if ended.status == -TIMER_SIGNAL:
        limit = f"more than {limits.seconds:g} s of processor time"
    elif ended.status in OUT_OF_MEMORY:
        limit = f"more than {limits.memory_bytes // MIB} MiB of memory, or is nested too deeply"
    else:
        raise OSError(f"the schema checker was ended from outside, with status {ended.status}") from ended
    return CheckLimitExceeded(f"the check of this {CHECKED[kind]} against {schema_name} needs {limit}")
