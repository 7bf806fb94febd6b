"""Why a secret cannot be had. No message contains a value."""


class SecretError(Exception):
    """Base of all. `retryable`: the same question may have another answer later."""

    retryable: bool


class SecretMissing(SecretError):
    """The backend has no such secret, or one that cannot be used. The operator has to store it."""

    retryable = False


class SecretUnavailable(SecretError):
    """The backend does not answer, or refuses this worker. Not the job's fault: it is deferred."""

    retryable = True


class SecretBackendAway(SecretUnavailable):
    """The backend cannot be reached, or does not answer in time."""
