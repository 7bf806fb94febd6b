"""Why a request did not succeed, by blame. None of these ends more than the request that it concerns."""

from pageworker_sandbox.egress.messages import Reason


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

    def __init__(self, reason: str, timed_out: bool = False) -> None:
        super().__init__(reason)
        self.reason = reason
        self.timed_out = timed_out


class Disconnected(EgressError):
    """A connection was reset, was closed by the gateway, or was written to after its end."""


class InvalidPolicy(EgressError):
    """The supervisor's policy cannot be used. The message names the part. The blame is the configuration's."""


class InvalidListener(EgressError):
    """A runner's descriptor is no listening TCP socket. The blame is the runner's: kill it."""
