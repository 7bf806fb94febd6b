"""How an attempt ended, as the wire's Done has it. No I/O: a value or an error in, an AttemptResult out."""

import re
import resource
import threading
from typing import Any, get_args

import msgspec
from playwright.async_api import Error as BrowserError

from pageworker import Blocked, BlockerKind, Failed, PageTimeout, RetryLater
from pageworker_runner.errors import BrowserLost, CallRefused, ModuleBroken, OutputLimit, PageLost
from pageworker_runner.pages.playwright_internals import is_closed_error
from pageworker_runner.pages.request_errors import network_error_in, refusal_in
from pageworker_runner.reporting.error_text import describe, frames, redact
from pageworker_runner.reporting.sanitize import fit, fit_fields
from pageworker_sandbox.wire.messages import MAX_DATA_BYTES, MAX_RETRY_AFTER_SECONDS, Failure, Obstacle, Outcome
from pageworker_sandbox.wire.request_failure import RequestFailure

FAILURE_TYPE = re.compile(r"[a-z][a-z0-9_.-]{0,62}")
NO_THREAD = "can't start new thread"
"""CPython's message for EAGAIN of clone(2)."""
MAX_DETAIL_BYTES = 16 * 1024
NIL = msgspec.Raw(b"\xc0")
REFUSALS = {
    "private_address": "The address is not on the public Internet. Only `egress.hosts` can permit it.",
    "host_not_allowed": "Both `[tenants.<id>] egress` and `egress` in module.toml must list the host.",
    "port_not_allowed": "`egress.ports` must list the port.",
    "budget_exhausted": "The byte budget is used up.",
    "rate_limited": "There were too many requests per second.",
    "malformed_request": "The URL has no valid host, or the request's head is over 32 KiB.",
}
"""How to fix a refusal, by the gateway's reason."""
STOP_MESSAGES: dict[Outcome, str] = {
    "timed_out": "The attempt did not finish within its time limit. Raise timeout_seconds of the job or of the module.",
    "cancelled": "The job was cancelled.",
    "expired": "The job's expires_at passed before its handler could begin.",
}


class AttemptResult(msgspec.Struct, frozen=True):
    """The end of an attempt."""

    outcome: Outcome
    data: msgspec.Raw = NIL
    """MessagePack."""
    failure: Failure | None = None
    obstacle: Obstacle | None = None


def returned(value: object, label: str) -> AttemptResult:
    """The result of a handler that returned `value`. It must be a dict that JSON can hold, within MAX_DATA_BYTES."""
    try:
        plain = msgspec.to_builtins(value, str_keys=True)
        data = msgspec.msgpack.encode(plain)
        msgspec.json.encode(plain)
    except BaseException as error:  # noqa: BLE001 - fields are foreign code: their sys.exit() would end the runner
        return failed("result_invalid", f"The handler returned a value that JSON cannot hold: {describe(error, label)}")
    if not isinstance(plain, dict):
        return failed("result_invalid", f"A handler must return a dict. This one returned {type(value).__name__}.")
    if len(data) > MAX_DATA_BYTES:
        return failed(
            "result_too_large",
            f"The result has {len(data)} bytes; at most {MAX_DATA_BYTES} are allowed. "
            "Store large data with helpers.artifact.",
        )
    return AttemptResult("succeeded", data=msgspec.Raw(data))


def stopped(outcome: Outcome) -> AttemptResult:
    """The result of an attempt that was stopped: `timed_out`, `cancelled` or `expired`. It is the error's type too."""
    return failed(outcome, STOP_MESSAGES[outcome], retryable=outcome == "timed_out", outcome=outcome)


def raised(error: BaseException, label: str) -> AttemptResult:
    """The result of a handler, or of its import, that raised."""
    try:
        return _read(error, label)
    except BaseException as fault:  # noqa: BLE001 - attributes are foreign code: their sys.exit() would end the runner
        why = f"{type(error).__name__} was raised, and reading its fields failed: {describe(fault, label)}"
        return failed("handler_error", why, detail=_where(error, label))


def _read(error: BaseException, label: str) -> AttemptResult:
    match error:
        case BaseExceptionGroup() if len(error.exceptions) == 1:
            return _read(error.exceptions[0], label)
        case Blocked():
            return _blocked(error)
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
            return failed("module_broken", redact(str(error)), retryable=error.retryable)
        case PageLost():
            return failed("page_crashed", redact(str(error)), retryable=error.retryable)
        case BrowserLost():
            return failed("browser_crashed", redact(str(error)), retryable=error.retryable)
        case BrowserError() if is_closed_error(error):
            return failed(
                "page_closed",
                "The page was closed while the handler was using it.",
                retryable=True,
                detail=_where(error, label),
            )
        case PageTimeout():
            return failed("timeout", redact(str(error)), retryable=True, detail=_where(error, label))
        case BrowserError() if refusal := refusal_in(error):
            return _refused(*refusal, _where(error, label))
        case BrowserError() if net := network_error_in(error):
            return failed(
                "navigation_error",
                redact(net.text),
                retryable=True,
                detail={"code": net.code, "url": net.url, **_where(error, label)},
            )
        case CallRefused():
            return failed("refused", str(error), retryable=error.retryable, detail=_where(error, label))
        case OutputLimit():
            return _limit("output_limit", str(error), error.used, error.allowed, error.unit)
        case MemoryError():
            used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
            allowed = resource.getrlimit(resource.RLIMIT_DATA)[0]
            return _limit(
                "memory_limit", "The module asked for more memory than a runner may use.", used, allowed, "bytes"
            )
        case RuntimeError() if str(error) == NO_THREAD:
            return _no_thread()
    return failed("handler_error", describe(error, label), detail=_where(error, label))


def _refused(refusal: RequestFailure, url: str | None, where: dict[str, Any]) -> AttemptResult:
    """Not retryable: another attempt would have the same policy."""
    return failed(
        "egress_refused",
        f"Blocked by egress policy: {refusal.reason} for {refusal.authority}. {REFUSALS.get(refusal.reason, '')}",
        detail={"egress": refusal.reason, "host": refusal.authority, "url": url, **where},
    )


def _no_thread() -> AttemptResult:
    """The kernel answers EAGAIN both to too many threads and to no memory for a thread's stack. Source: clone(2)."""
    data, stack, processes = (
        resource.getrlimit(kind)[0] for kind in (resource.RLIMIT_DATA, resource.RLIMIT_STACK, resource.RLIMIT_NPROC)
    )
    stacks = threading.active_count() * (threading.stack_size() or stack)
    if stacks > data / 2:
        return _limit(
            "memory_limit", "The stacks of all threads together use up the runner's memory.", stacks, data, "bytes"
        )
    text = "A new thread could not be started: the runner has as many processes and threads as it may have."
    return _limit("process_limit", text, processes, processes, "processes")


def _limit(type: str, message: str, used: int, allowed: int, unit: str) -> AttemptResult:
    """Not retryable: another attempt would reach the same limit."""
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
    """A failure, cut to what the wire accepts."""
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
        kinds = ", ".join(get_args(BlockerKind))
        return failed(
            "handler_error", f"Blocked was raised with the unknown kind {error.kind!r}. The kinds are: {kinds}."
        )
    evidence = fit_fields(error.evidence, count=32, value_chars=512, total_chars=8000)
    provider = None if error.provider is None else fit(str(error.provider), 64)
    return AttemptResult("blocked", obstacle=Obstacle(kind=error.kind, provider=provider, evidence=evidence))


def _delay_of(error: Failed) -> float | None:
    """The delay of a RetryLater, cut to what the wire accepts: a subclass may have set any value."""
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
        data = msgspec.msgpack.encode({"left_out": "JSON cannot hold this detail"})
    if len(data) > MAX_DETAIL_BYTES:
        data = msgspec.msgpack.encode(
            {"left_out": f"detail had {len(data)} bytes; at most {MAX_DETAIL_BYTES} are kept"}
        )
    return msgspec.Raw(data)
