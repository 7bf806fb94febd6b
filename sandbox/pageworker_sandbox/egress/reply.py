"""The answer to a request that was refused or failed. Pure."""

import h11

from pageworker_sandbox.egress.errors import (
    Disconnected,
    EgressError,
    EgressRefused,
    MalformedTarget,
    TargetUnreachable,
)

TEXTS = {
    "private_address": "This address is not on the public Internet.",
    "host_not_allowed": "This host is not among those that the tenant and the module may both reach.",
    "port_not_allowed": "This port is not allowed.",
    "budget_exhausted": "The byte budget is used up.",
    "rate_limited": "Too many requests per second.",
    "name_not_resolved": "The name could not be resolved.",
    "connect_failed": "The host does not accept the connection.",
    "connect_timeout": "The host did not answer in time.",
    "upstream_refused": "The upstream proxy refused the request.",
    "upstream_failed": "The upstream proxy failed.",
    "origin_failed": "The host closed the connection or did not answer with HTTP/1.1.",
    "origin_silent": "The host sent nothing for too long.",
    "malformed_request": "This is not a valid request to a proxy.",
}


def outcome(error: EgressError | h11.RemoteProtocolError) -> tuple[int, str, str]:
    """Status code, kind and reason of the answer."""
    match error:
        case EgressRefused():
            return 403, "refused", error.reason
        case TargetUnreachable(timed_out=timed_out):
            return (504 if timed_out else 502), "unreachable", error.reason
        case Disconnected():
            return 502, "unreachable", "origin_failed"
        case MalformedTarget():
            return 400, "refused", "malformed_request"
        case h11.RemoteProtocolError():
            return error.error_status_hint, "refused", "malformed_request"
        case _:
            raise error


def events(error: EgressError | h11.RemoteProtocolError, head: bool = False) -> list[h11.Event]:
    """The whole answer. `head`: the request was HEAD, so the answer has no body."""
    status, kind, reason = outcome(error)
    text = f"{TEXTS[reason]}\n".encode()
    response = h11.Response(
        status_code=status,
        headers=[
            ("Pageworker-Egress", f"{kind}; reason={reason}"),
            ("Content-Type", "text/plain; charset=utf-8"),
            ("Content-Length", str(len(text))),
            ("Cache-Control", "no-store"),
        ],
        reason=kind.encode(),
    )
    return [response, *([] if head else [h11.Data(data=text)]), h11.EndOfMessage()]
