"""Why a request did not succeed, by blame. None of these ends more than the request that it concerns."""

from typing import Literal

from pageworker_sandbox.egress.messages import Reason, UpstreamFault

UnreachableReason = Literal[
    "name_not_resolved",
    "connection_refused",
    "address_unreachable",
    "connect_timeout",
    "connect_failed",
    "upstream_refused",
    "empty_response",
    "connection_reset",
    "invalid_response",
    "unexpected_proxy_auth",
    "origin_silent",
]
"""Why an allowed request failed."""


class EgressError(Exception):
    """Base."""


class MalformedTarget(EgressError):
    """The runner's request names no valid host and port. Not retryable."""


class EgressRefused(EgressError):
    """The policy forbids the request. Not retryable under the same policy."""

    def __init__(self, reason: Reason) -> None:
        super().__init__(reason)
        self.reason: Reason = reason


class TargetUnreachable(EgressError):
    """The origin, its name or the upstream proxy did not answer. Retryable."""

    def __init__(self, reason: UnreachableReason, timed_out: bool = False) -> None:
        super().__init__(reason)
        self.reason: UnreachableReason = reason
        self.timed_out = timed_out


class UpstreamFailed(EgressError):
    """An upstream proxy failed. The next one is tried, if the policy has one. Retryable.

    `doubtful`: it had been told the target, so the target may be the cause.
    """

    def __init__(self, fault: UpstreamFault, *, doubtful: bool = False) -> None:
        super().__init__(fault)
        self.fault: UpstreamFault = fault
        self.doubtful = doubtful


class Disconnected(EgressError):
    """A connection was reset, was closed by the gateway, or was written to after its end."""


class InvalidPolicy(EgressError):
    """The supervisor's policy cannot be used. The message names the part. The blame is the configuration's."""


class InvalidRules(EgressError):
    """The supervisor's rules for the dialer cannot be used; the old ones stay. The blame is the configuration's."""


class InvalidListener(EgressError):
    """A runner's descriptor is no listening TCP socket. The blame is the runner's: kill it."""
