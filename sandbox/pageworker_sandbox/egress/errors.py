"""Why a request did not get through, by blame. None of these ends more than the request it concerns."""

from pageworker_sandbox.egress.messages import Reason


class EgressError(Exception):
    """Base."""


class MalformedTarget(EgressError):
    """The runner asked for something that is no host and port. Not retryable."""


class EgressRefused(EgressError):
    """The policy does not allow it. Not retryable under the same policy."""

    def __init__(self, reason: Reason) -> None:
        super().__init__(reason)
        self.reason: Reason = reason


class TargetUnreachable(EgressError):
    """The origin, its name or the upstream proxy does not answer. Retryable."""

    def __init__(self, reason: str, timed_out: bool = False) -> None:
        super().__init__(reason)
        self.reason = reason
        self.timed_out = timed_out


class Disconnected(EgressError):
    """A connection was reset, cut by the policy, or written to after its end."""


class InvalidPolicy(EgressError):
    """The supervisor's policy can not be used: the message says which part. The blame is the configuration's."""


class InvalidListener(EgressError):
    """The descriptor of a runner is no listening TCP socket. The blame is the runner's: kill it."""
