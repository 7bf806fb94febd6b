"""The texts of failed requests: what the gateway reports, in the words of Playwright. Pure.

A request that the egress gateway did not carry out raises what it would raise in plain Playwright: Chromium's
`net::ERR_…` for navigations, Node's `connect ECONNREFUSED …` for `page.request`. A refusal has a reason behind it.
"""

import re
from dataclasses import dataclass
from urllib.parse import urlsplit

from pageworker_sandbox.wire.request_failure import MARK, RequestFailure, parse_line

FAILED_HTTP = "net::ERR_RESPONSE_HEADERS_MULTIPLE_CONTENT_LENGTH"
"""What Chromium makes of the gateway's answer to a failed request over `http:`. No origin can cause it there."""
FAILED_TUNNEL = "net::ERR_TUNNEL_CONNECTION_FAILED"
"""The same for a tunnel, which is a request over `https:`."""
FAILED_LIMITED = "net::ERR_BLOCKED_BY_CLIENT"
"""The same for a request that the runner refuses, because it would wait too long for a limit on requests."""
RATE_LIMITED = "rate_limited"
"""The reason of such a refusal."""
REFUSED = "ERR_BLOCKED_BY_ADMINISTRATOR"
"""Chromium's name for a request that the egress policy forbids."""
PROXY_UNAVAILABLE = "proxy_unavailable"
"""The gateway's reason if no upstream proxy of the policy works."""
NO_PROXY = "ERR_PROXY_CONNECTION_FAILED"
"""Chromium's name for it."""
UNREACHABLE = {
    "name_not_resolved": "ERR_NAME_NOT_RESOLVED",
    "connection_refused": "ERR_CONNECTION_REFUSED",
    "address_unreachable": "ERR_ADDRESS_UNREACHABLE",
    "connect_timeout": "ERR_CONNECTION_TIMED_OUT",
    "connect_failed": "ERR_CONNECTION_FAILED",
    "upstream_refused": "ERR_TUNNEL_CONNECTION_FAILED",
    "empty_response": "ERR_EMPTY_RESPONSE",
    "connection_reset": "ERR_CONNECTION_RESET",
    "invalid_response": "ERR_INVALID_HTTP_RESPONSE",
    "unexpected_proxy_auth": "ERR_UNEXPECTED_PROXY_AUTH",
    "origin_silent": "ERR_TIMED_OUT",
}
"""Chromium's name for an allowed request that failed, by the gateway's reason."""
NODE_TEXTS = {
    "name_not_resolved": "getaddrinfo ENOTFOUND {host}",
    "connection_refused": "connect ECONNREFUSED {authority}",
    "address_unreachable": "connect EHOSTUNREACH {authority}",
    "connect_timeout": "connect ETIMEDOUT {authority}",
}
"""Node's text, by the gateway's reason. What fails later than the connection fails inside of a tunnel."""
NODE_NAMES = {
    "ECONNREFUSED": "ERR_CONNECTION_REFUSED",
    "ECONNRESET": "ERR_CONNECTION_RESET",
    "ECONNABORTED": "ERR_CONNECTION_FAILED",
    "EPIPE": "ERR_CONNECTION_CLOSED",
    "ENOTFOUND": "ERR_NAME_NOT_RESOLVED",
    "EHOSTUNREACH": "ERR_ADDRESS_UNREACHABLE",
    "ETIMEDOUT": "ERR_CONNECTION_TIMED_OUT",
    "HPE_INVALID_CONSTANT": "ERR_INVALID_HTTP_RESPONSE",
}
"""Chromium's name by Node's. Errors of `page.request` with another name are no errors of the network."""

_NAVIGATIONS = "goto|reload|go_back|go_forward|expect_navigation|wait_for_url"
_REQUESTS = r"APIRequestContext\.\w+|Route\.fetch"
# Anchored, and for calls only whose errors hold no text of a page: a page can throw any text into page.evaluate.
_REFUSAL = re.compile(
    rf"(?:(?:Page|Frame)\.(?:{_NAVIGATIONS}): net::(?:{REFUSED}|{NO_PROXY})(?: at (?P<url>[^\n]*))?"
    rf"|(?:{_REQUESTS}): connect (?:EACCES|ECONNREFUSED)[^\n]*?)"
    r" \(egress policy: (?P<reason>[a-z_]+) for (?P<authority>\S*)\)(?:\n|\Z)"
)
_OF_REQUEST = re.compile(rf"(?:{_REQUESTS}): ([^\n]*)")
_NET_ERROR = re.compile(rf"(?:(?:Page|Frame)\.(?:{_NAVIGATIONS}): )?(net::(ERR_[A-Z0-9_]+)(?: at (\S+))?)")
_CODE = re.compile(r"net::ERR_[A-Z0-9_]+")
_FAILED_REQUEST = re.compile(rf'Invalid header from proxy CONNECT response: "{MARK} ([^"\n]*)"')
_CALL_LOG_URL = re.compile(r"→ [A-Z]+ (\S+)")


@dataclass(frozen=True)
class NetworkError:
    """A request that failed. `code` is Chromium's name of the error, for `page.request` too."""

    code: str
    url: str | None
    text: str


def failure_code(failure: RequestFailure) -> str:
    """`net::ERR_…`, as `request.failure` has it."""
    if failure.kind == "refused":
        return f"net::{NO_PROXY if failure.reason == PROXY_UNAVAILABLE else REFUSED}"
    return f"net::{UNREACHABLE[failure.reason]}"


def reworded(text: str, failure: RequestFailure) -> str:
    """A text of Chromium with the right error in it. A refusal's reason is added to the first line."""
    first, newline, rest = text.partition("\n")
    return _CODE.sub(failure_code(failure), first, count=1) + _why(failure) + newline + rest


def reworded_request(text: str) -> tuple[str, str] | None:
    """Node's name and the text of an error of `page.request`. None: the gateway had no part in it."""
    found = _FAILED_REQUEST.match(text)
    failure = parse_line(found[1]) if found else None
    if found is None or failure is None:
        return None
    words = "connect {} {{authority}}".format("ECONNREFUSED" if failure.reason == PROXY_UNAVAILABLE else "EACCES")
    if failure.kind == "unreachable":
        words = NODE_TEXTS.get(failure.reason, "connect ECONNABORTED {authority}")
    host = urlsplit(f"//{failure.authority}").hostname or failure.authority
    said = words.format(authority=failure.authority, host=host)
    return said.split()[1], said + _why(failure) + text[found.end() :]


def refused_request_text(failure: RequestFailure) -> str:
    """The error of a call of `page.request` that the runner refuses. Its code is `EACCES`."""
    return f"connect EACCES {failure.authority}{_why(failure)}"


def refusal_in(error: BaseException) -> tuple[RequestFailure, str | None] | None:
    """The refusal that a call of Playwright raised, and the URL that was asked for. None: it is another error."""
    text = str(error)
    found = _REFUSAL.match(text)
    if found is None:
        return None
    return RequestFailure("refused", found["reason"], found["authority"]), found["url"] or _url_in(text)


def network_error_in(error: BaseException) -> NetworkError | None:
    """The failed request that a call of Playwright raised. None: it is another error."""
    text = str(error)
    if (request := _OF_REQUEST.match(text)) is not None:
        code = NODE_NAMES.get(getattr(error, "code", ""))
        return None if code is None else NetworkError(code, _url_in(text), request[1])
    net = _NET_ERROR.match(text)
    return None if net is None else NetworkError(net[2], net[3], net[1])


def _why(failure: RequestFailure) -> str:
    return f" (egress policy: {failure.reason} for {failure.authority})" if failure.kind == "refused" else ""


def _url_in(text: str) -> str | None:
    found = _CALL_LOG_URL.search(text)
    return found[1] if found else None
