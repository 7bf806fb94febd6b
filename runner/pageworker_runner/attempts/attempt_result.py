"""How an attempt ended, as the wire's Done has it. No I/O: a value or an error in, an AttemptResult out."""

import re
import resource
import threading
from typing import Any, get_args

import msgspec
from playwright.async_api import Error as BrowserError

from pageworker import Blocked, BlockerKind, Failed, PageTimeout, RetryLater
from pageworker.navigation import is_interrupted_by_navigation
from pageworker_runner.attempts.plain_data import NotPlain, plain
from pageworker_runner.errors import BrowserLost, CallRefused, ModuleBroken, OutputLimit, PageLost
from pageworker_runner.pages.playwright_internals.client_errors import is_closed_error
from pageworker_runner.pages.request_errors import PROXY_UNAVAILABLE, RATE_LIMITED, network_error_in, refusal_in
from pageworker_runner.reporting.error_text import describe, frames, playwright_call, redact, text_of
from pageworker_runner.reporting.sanitize import fit, fit_fields
from pageworker_sandbox.wire.messages import (
    MAX_BLOCKER_URL,
    MAX_DATA_BYTES,
    MAX_RETRY_AFTER_SECONDS,
    Failure,
    Obstacle,
    Outcome,
)
from pageworker_sandbox.wire.request_failure import RequestFailure

FAILURE_TYPE = re.compile(r"[a-z][a-z0-9_.-]{0,62}")
USER = re.compile(r"^(https?://)[^/?#]*@")
"""A user and password in an address. Results hold no secret."""
DOWNLOAD = "Download is starting"
LASTING = re.compile(
    r"ERR_(ABORTED|TOO_MANY_REDIRECTS|CERT_\w+|CONTENT_DECODING_FAILED|INVALID_REDIRECT|UNSAFE_REDIRECT|UNSAFE_PORT"
    r"|UNKNOWN_URL_SCHEME|DISALLOWED_URL_SCHEME|INVALID_URL|BLOCKED_BY_CLIENT)"
)
"""Chromium's names of errors that the next attempt would meet again. ERR_ABORTED: the answer has no document (204)."""
HINTS = {
    "ERR_ABORTED": ": the answer has no page (204 No Content, 205 Reset Content), or a script or a route stopped the "
    "navigation. Read the answer with page.request.get.",
    "ERR_BLOCKED_BY_CLIENT": ": the option `block_hosts` of the browser context has the host, or a route stopped the "
    "navigation.",
    "ERR_HTTP_RESPONSE_CODE_FAILURE": ": the answer is an error status without content, which the full browser does "
    "not show. Read it with page.request.get, or use the headless shell, where it is an empty page.",
    "ERR_TOO_MANY_REDIRECTS": ": the redirects do not end. Read the first answer with page.request.get(url, "
    "max_redirects=0).",
}
"""What these errors mean for a navigation, and what a module does about them."""
NAVIGATED_TO = re.compile(r'navigating to "([^"]+)"')
"""The call log of Playwright."""
NO_THREAD = "can't start new thread"
"""CPython's message for EAGAIN of clone(2)."""
MAX_DETAIL_BYTES = 16 * 1024
NIL = msgspec.Raw(b"\xc0")
REFUSALS = {
    "private_address": "The address is not on the public Internet. Only `egress.hosts` can permit it.",
    "host_not_allowed": "Both `[tenants.<id>] egress` and `egress` in module.toml must list the host.",
    "host_blocked": "The option `block_hosts` of the browser context has the host.",
    "port_not_allowed": "`egress.ports` must list the port.",
    "budget_exhausted": "The job's budget of bytes or requests is used up.",
    "rate_limited": "The `[domains]` entry of the host limits its requests, and this one would have waited "
    "longer than `egress.request_wait_seconds`.",
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
        converted = plain(value)
        data = msgspec.msgpack.encode(converted)
    except NotPlain as wrong:
        return failed("result_invalid", f"The handler returned a value that JSON cannot hold: {wrong}.")
    except BaseException as error:  # noqa: BLE001 - fields are foreign code: their sys.exit() would end the runner
        return failed("result_invalid", f"The handler returned a value that JSON cannot hold: {describe(error, label)}")
    if not isinstance(converted, dict):
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


def out_of_time(budget_seconds: float, cancelled: BaseException | None, label: str) -> AttemptResult:
    """The result of an attempt that used up its time. `cancelled`: what its handler raised when it was cancelled, whose
    traceback says where it was; None if it did not stop."""
    where = _where(cancelled, label) if cancelled is not None else {}
    call = playwright_call(cancelled) if cancelled is not None else None
    place = [text for text in (call and f"it was in {call}", where.get("trace") and f"at {where['trace'][-1]}") if text]
    told = ", ".join(place) or ("it did not stop when it was told to" if cancelled is None else "it was at no call")
    return failed(
        "timed_out",
        f"The attempt did not finish within {budget_seconds:g} s: {told}. "
        "Raise timeout_seconds of the job or of the module, or lower the timeouts of single calls.",
        retryable=True,
        detail={"call": call, "trace": where.get("trace", [])},
        outcome="timed_out",
    )


def raised(error: BaseException, label: str, page_url: str | None = None) -> AttemptResult:
    """The result of a handler, or of its import, that raised. `page_url`: the page's address, which a blocker names."""
    try:
        return _read(error, label, page_url)
    except BaseException as fault:  # noqa: BLE001 - attributes are foreign code: their sys.exit() would end the runner
        why = f"{type(error).__name__} was raised, and reading its fields failed: {describe(fault, label)}"
        return failed("handler_error", why, detail=_where(error, label))


def _read(error: BaseException, label: str, page_url: str | None) -> AttemptResult:
    match error:
        case BaseExceptionGroup() if len(error.exceptions) == 1:
            return _read(error.exceptions[0], label, page_url)
        case Blocked():
            return _blocked(error, page_url)
        case Failed():
            kind = str(error.type)
            return failed(
                kind if FAILURE_TYPE.fullmatch(kind) else "module_failure",
                # The author's own words: what looks like a path of the host is none.
                error.message,
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
        case BrowserError() if DOWNLOAD in str(error):
            return _is_a_file(error, label)
        case BrowserError() if refusal := refusal_in(error):
            return _refused(*refusal, _where(error, label))
        case BrowserError() if net := network_error_in(error):
            return failed(
                "navigation_error",
                redact(net.text) + HINTS.get(net.code, ""),
                retryable=not LASTING.fullmatch(net.code),
                detail={"code": net.code, "url": net.url, **_where(error, label)},
            )
        case BrowserError() if is_interrupted_by_navigation(str(error)):
            return failed(
                "navigation_error",
                f"The page went elsewhere by itself while the handler used it: {redact(str(error))}",
                retryable=True,
                detail=_where(error, label),
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


def _is_a_file(error: BaseException, label: str) -> AttemptResult:
    """The server answered a navigation with a file: a PDF, an archive, an attachment. It will do so again."""
    asked = NAVIGATED_TO.search(text_of(error))
    return failed(
        "download",
        "The server answered with a file instead of a page. Take it with page.expect_download() around the "
        "navigation and helpers.download, or read it with page.request.get.",
        detail={"url": asked[1] if asked else None, **_where(error, label)},
    )


def _refused(refusal: RequestFailure, url: str | None, where: dict[str, Any]) -> AttemptResult:
    """Not retryable: another attempt would have the same policy. But proxies come back, and a host's queue empties."""
    detail = {"egress": refusal.reason, "host": refusal.authority, "url": url, **where}
    if refusal.reason == PROXY_UNAVAILABLE:
        text = (
            f"No upstream proxy of the proxy policy worked for {refusal.authority}, and the policy permits no "
            "connection without one. Check that its proxies are up and accept the credentials."
        )
        return failed(PROXY_UNAVAILABLE, text, retryable=True, detail=detail)
    return failed(
        "egress_refused",
        f"Blocked by egress policy: {refusal.reason} for {refusal.authority}. {REFUSALS.get(refusal.reason, '')}",
        retryable=refusal.reason == RATE_LIMITED,
        detail=detail,
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


def _blocked(error: Blocked, page_url: str | None) -> AttemptResult:
    if error.kind not in get_args(BlockerKind):
        kinds = ", ".join(get_args(BlockerKind))
        return failed(
            "handler_error", f"Blocked was raised with the unknown kind {error.kind!r}. The kinds are: {kinds}."
        )
    evidence = fit_fields(error.evidence, count=32, value_chars=512, total_chars=8000)
    provider = None if error.provider is None else fit(str(error.provider), 64)
    url = None if page_url is None or page_url == "about:blank" else shown_url(page_url)
    return AttemptResult("blocked", obstacle=Obstacle(kind=error.kind, provider=provider, evidence=evidence, url=url))


def _delay_of(error: Failed) -> float | None:
    """The delay of a RetryLater, cut to what the wire accepts: a subclass may have set any value."""
    if not isinstance(error, RetryLater) or error.delay_seconds is None:
        return None
    return min(max(0.0, float(error.delay_seconds)), MAX_RETRY_AFTER_SECONDS)


def shown_url(url: str) -> str:
    """An address as results may hold it: without a password, cut."""
    return fit(USER.sub(r"\1", url), MAX_BLOCKER_URL)


def told_of(result: AttemptResult, name: str, value: object) -> AttemptResult:
    """The same failure, with one more entry in its detail. A detail that is no mapping, or would be too large, stays
    as it is."""
    if result.failure is None:
        return result
    detail = msgspec.msgpack.decode(result.failure.detail)
    more = msgspec.msgpack.encode({**(detail or {}), name: value}) if isinstance(detail, dict | None) else b""
    if not 0 < len(more) <= MAX_DETAIL_BYTES:
        return result
    return msgspec.structs.replace(result, failure=msgspec.structs.replace(result.failure, detail=msgspec.Raw(more)))


def _where(error: BaseException, label: str) -> dict[str, Any]:
    return {"exception": type(error).__name__, "trace": frames(error, label)}


def _packed(detail: object) -> msgspec.Raw:
    if detail is None:
        return NIL
    try:
        data = msgspec.msgpack.encode(plain(detail))
    except NotPlain as wrong:
        data = msgspec.msgpack.encode({"left_out": f"JSON cannot hold this detail: {wrong}"})
    if len(data) > MAX_DETAIL_BYTES:
        data = msgspec.msgpack.encode(
            {"left_out": f"detail had {len(data)} bytes; at most {MAX_DETAIL_BYTES} are kept"}
        )
    return msgspec.Raw(data)
