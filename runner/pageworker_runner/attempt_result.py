"""How an attempt ended, in the wire's words. Pure: an outcome or an error in, a verdict out."""

import re
import resource
import threading
from typing import Any, get_args

import msgspec
from playwright.async_api import Error as BrowserError

from pageworker import Blocked, BlockerKind, Failed, PageTimeout, RetryLater
from pageworker_runner.errors import BrowserLost, CallRefused, ModuleBroken, OutputLimit, PageLost
from pageworker_runner.pages.playwright_internals import is_closed_error
from pageworker_runner.reporting.error_text import describe, frames, redact
from pageworker_runner.reporting.sanitize import fit, fit_fields
from pageworker_sandbox.wire.messages import MAX_DATA_BYTES, MAX_RETRY_AFTER_SECONDS, Failure, Obstacle, Outcome

NET_ERROR = re.compile(r"net::(ERR_[A-Z0-9_]+)(?: at (\S+))?")
FAILURE_TYPE = re.compile(r"[a-z][a-z0-9_.-]{0,62}")
NO_THREAD = "can't start new thread"
"""CPython's words for an EAGAIN of clone(2)."""
MAX_DETAIL_BYTES = 16 * 1024
NIL = msgspec.Raw(b"\xc0")


class AttemptResult(msgspec.Struct, frozen=True):
    """The end of an attempt."""

    outcome: Outcome
    data: msgspec.Raw = NIL
    failure: Failure | None = None
    obstacle: Obstacle | None = None


def returned(result: object, label: str) -> AttemptResult:
    """A handler returned. What it gave has to be a dict that JSON can hold, and not too large."""
    try:
        plain = msgspec.to_builtins(result, str_keys=True)
        data = msgspec.msgpack.encode(plain)
        msgspec.json.encode(plain)
    except BaseException as error:  # noqa: BLE001 - fields are foreign code: their sys.exit() would end the runner
        return failed("result_invalid", f"JSON can not hold what the handler returned: {describe(error, label)}")
    if not isinstance(plain, dict):
        return failed("result_invalid", f"a handler returns a dict, not {type(result).__name__}")
    if len(data) > MAX_DATA_BYTES:
        return failed(
            "result_too_large",
            f"the result has {len(data)} bytes, at most {MAX_DATA_BYTES}: keep large data with helpers.artifact",
        )
    return AttemptResult("succeeded", data=msgspec.Raw(data))


def cut(outcome: Outcome) -> AttemptResult:
    """The attempt was stopped from outside, or by its time."""
    if outcome == "timed_out":
        return failed("timed_out", "the attempt had no time left", retryable=True, outcome=outcome)
    return failed(outcome, "stopped on request", outcome=outcome)


def raised(error: BaseException, label: str, refusal: str | None = None) -> AttemptResult:
    """A handler (or its import) raised. `refusal`: what the egress gateway said to the page's last navigation."""
    try:
        return _read(error, label, refusal)
    except BaseException as fault:  # noqa: BLE001 - attributes are foreign code: their sys.exit() would end the runner
        why = f"{type(error).__name__} can not be read: {describe(fault, label)}"
        return failed("handler_error", why, detail=_where(error, label))


def _read(error: BaseException, label: str, refusal: str | None) -> AttemptResult:
    if isinstance(error, Blocked):
        return _blocked(error)
    if refusal is not None:
        return failed("egress_refused", f"the page may not go there: {refusal}", detail={"egress": refusal})
    match error:
        case Failed():
            kind = str(error.type)
            return failed(
                kind if FAILURE_TYPE.fullmatch(kind) else "module_failure",
                redact(error.message),
                retryable=bool(error.retryable),
                retry_after_seconds=_delay_of(error),
                detail=error.detail,
            )
        case ModuleBroken():
            return failed("module_broken", redact(str(error)))
        case PageLost():
            return failed("page_crashed", redact(str(error)), retryable=True)
        case BrowserLost():
            return failed("browser_crashed", redact(str(error)), retryable=True)
        case BrowserError() if is_closed_error(error):
            return failed(
                "page_closed", "the page was closed while it was used", retryable=True, detail=_where(error, label)
            )
        case PageTimeout():
            return failed("timeout", redact(str(error)), retryable=True, detail=_where(error, label))
        case BrowserError() if net := NET_ERROR.search(str(error)):
            return failed(
                "navigation_error",
                net[0],
                retryable=True,
                detail={"code": net[1], "url": net[2], **_where(error, label)},
            )
        case CallRefused():
            return failed("refused", str(error), detail=_where(error, label))
        case OutputLimit():
            return _limit("output_limit", str(error), error.used, error.allowed, error.unit)
        case MemoryError():
            used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
            allowed = resource.getrlimit(resource.RLIMIT_DATA)[0]
            return _limit("memory_limit", "the module asked for more memory than there is", used, allowed, "bytes")
        case RuntimeError() if str(error) == NO_THREAD:
            return _no_thread()
    return failed("handler_error", describe(error, label), detail=_where(error, label))


def _no_thread() -> AttemptResult:
    """The kernel has one answer for too many threads and for no memory for another one's stack (clone(2), EAGAIN)."""
    data, stack, processes = (
        resource.getrlimit(kind)[0] for kind in (resource.RLIMIT_DATA, resource.RLIMIT_STACK, resource.RLIMIT_NPROC)
    )
    stacks = threading.active_count() * (threading.stack_size() or stack)
    if stacks > data / 2:
        return _limit("memory_limit", "the stacks of all threads together leave no memory", stacks, data, "bytes")
    text = "no more threads: the runner has as many processes and threads as it may"
    return _limit("process_limit", text, processes, processes, "processes")


def _limit(type: str, message: str, used: int, allowed: int, unit: str) -> AttemptResult:
    """Another attempt would only do the same."""
    return failed(type, message, detail={"used": used, "allowed": allowed, "unit": unit})


def failed(
    type: str,
    message: str,
    *,
    retryable: bool = False,
    retry_after_seconds: float | None = None,
    detail: object = None,
    outcome: Outcome = "failed",
) -> AttemptResult:
    """A failure, with what does not fit the wire left out."""
    failure = Failure(
        type=type,
        message=fit(message, 4096),
        retryable=retryable,
        retry_after_seconds=retry_after_seconds,
        detail=_packed(detail),
    )
    return AttemptResult(outcome, failure=failure)


def _blocked(error: Blocked) -> AttemptResult:
    if error.kind not in get_args(BlockerKind):
        return failed("handler_error", f"Blocked with the unknown kind {error.kind!r}")
    evidence = fit_fields(error.evidence, count=32, value_chars=512, total_chars=8000)
    provider = None if error.provider is None else fit(str(error.provider), 64)
    return AttemptResult("blocked", obstacle=Obstacle(kind=error.kind, provider=provider, evidence=evidence))


def _delay_of(error: Failed) -> float | None:
    """What a RetryLater asks for, within what the wire takes: a subclass may have set anything."""
    if not isinstance(error, RetryLater) or error.delay_seconds is None:
        return None
    return min(max(0.0, float(error.delay_seconds)), MAX_RETRY_AFTER_SECONDS)


def _where(error: BaseException, label: str) -> dict[str, Any]:
    return {"exception": type(error).__name__, "trace": frames(error, label)}


def _packed(detail: object) -> msgspec.Raw:
    if detail is None:
        return NIL
    try:
        data = msgspec.msgpack.encode(msgspec.to_builtins(detail, str_keys=True))
    except (TypeError, ValueError, OverflowError, RecursionError):
        data = msgspec.msgpack.encode({"left_out": "detail is nothing that JSON can hold"})
    if len(data) > MAX_DETAIL_BYTES:
        data = msgspec.msgpack.encode({"left_out": f"detail had {len(data)} bytes"})
    return msgspec.Raw(data)
