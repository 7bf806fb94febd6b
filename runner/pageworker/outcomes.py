"""How a handler ends when it does not return: raise one of these."""

from collections.abc import Mapping
from typing import Literal

MAX_DELAY_SECONDS = 86_400.0

BlockerKind = Literal["captcha", "challenge", "access_denied", "rate_limited", "login_required", "geo_blocked"]


class Blocked(Exception):
    """The page is in the way: the job's status becomes `blocked`. Report it, don't defeat it.

    `provider` names who blocks where that is known, `evidence` what it was recognised by (short strings).
    """

    def __init__(
        self, kind: BlockerKind, provider: str | None = None, evidence: Mapping[str, object] | None = None
    ) -> None:
        super().__init__(f"{kind} ({provider})" if provider else kind)
        self.kind = kind
        self.provider = provider
        self.evidence = dict(evidence or {})


class Failed(Exception):
    """The attempt failed for a reason that the module knows.

    `type` is a short identifier such as `no_such_product`; `retryable` says whether another attempt may help;
    `detail` is anything that JSON can hold.
    """

    def __init__(
        self,
        message: str,
        *,
        type: str = "module_failure",
        retryable: bool = False,
        detail: object = None,
    ) -> None:
        super().__init__(message)
        # `Failed(404)` and `Failed(error)` are easily written.
        self.message = str(message)
        self.type = type
        self.retryable = retryable
        self.detail = detail


class RetryLater(Failed):
    """The attempt failed and should be tried again, no sooner than in `delay_seconds` where that is given.

    Raises ValueError where they are more than a day.
    """

    def __init__(self, message: str = "the module asks for another try", delay_seconds: float | None = None):
        if delay_seconds is not None and not 0 <= delay_seconds <= MAX_DELAY_SECONDS:
            raise ValueError(f"delay_seconds is a number from 0 to {MAX_DELAY_SECONDS:.0f}, not {delay_seconds!r}")
        super().__init__(
            message,
            type="retry_later",
            retryable=True,
            detail=None if delay_seconds is None else {"delay_seconds": delay_seconds},
        )
        self.delay_seconds = delay_seconds
