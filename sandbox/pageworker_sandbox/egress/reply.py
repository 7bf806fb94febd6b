"""The answer to a request that was refused or failed. Pure.

It is no valid HTTP response. Otherwise a browser would show it as the page of the host, and a host that is down
would look like one with an empty page. Clients of the gateway report it like this:

- Chromium fails a navigation whose response has two lengths (`ERR_RESPONSE_HEADERS_MULTIPLE_CONTENT_LENGTH`), and does
  not repeat the request. It would repeat one whose connection was just closed, a POST too.
- Chromium fails a tunnel whose status is not 200 (`ERR_TUNNEL_CONNECTION_FAILED`).
- Playwright's request API, which uses tunnels only, reports a header line without a colon (`wire.request_failure`).

No origin can make the first two of them: the gateway rebuilds what an origin answers, and opens a tunnel before an
origin says a word.
"""

import h11

from pageworker_sandbox.egress.errors import EgressError, EgressRefused, MalformedTarget, TargetUnreachable
from pageworker_sandbox.wire.request_failure import MARK, FailureKind, RequestFailure

FailedRequest = EgressError | h11.RemoteProtocolError


def failure(error: FailedRequest, authority: str) -> RequestFailure:
    """Why the request to `authority` failed."""
    _, kind, reason = _outcome(error)
    return RequestFailure(kind, reason, authority)


def answer(error: FailedRequest, authority: str, *, tunnel: bool) -> bytes:
    """The whole answer. The connection must be closed after it. `tunnel`: the request was a CONNECT."""
    status, kind, _ = _outcome(error)
    lengths = "Content-Length: 0\r\n" if tunnel else "Content-Length: 1\r\nContent-Length: 2\r\n"
    line = failure(error, authority).line
    return f"HTTP/1.1 {status} {kind}\r\n{MARK} {line}\r\n{lengths}\r\n".encode("latin-1", "replace")


def _outcome(error: FailedRequest) -> tuple[int, FailureKind, str]:
    """Status code, kind and reason."""
    match error:
        case EgressRefused():
            return 403, "refused", error.reason
        case TargetUnreachable(timed_out=timed_out):
            return (504 if timed_out else 502), "unreachable", error.reason
        case MalformedTarget():
            return 400, "refused", "malformed_request"
        case h11.RemoteProtocolError():
            return error.error_status_hint, "refused", "malformed_request"
        case _:
            raise error
