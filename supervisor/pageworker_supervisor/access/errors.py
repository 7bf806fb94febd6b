"""Why an access token cannot be made, rotated or revoked. The caller has to mend it."""


class AccessTokenRefused(Exception):
    """Nothing has changed. `mend` says what to do instead."""

    retryable = False

    def __init__(self, message: str, mend: str) -> None:
        super().__init__(message)
        self.mend = mend
