"""How a handler ends an attempt without returning: it raises one of these."""

from collections.abc import Mapping
from typing import Literal

MAX_DELAY_SECONDS = 86_400.0

BlockerKind = Literal["captcha", "challenge", "access_denied", "rate_limited", "login_required", "geo_blocked"]


ProfileState = Literal["authenticated", "needs_login", "needs_human"]
"""Whether the browser of a profile is logged in. `needs_login`: a module can log in. `needs_human`: a person has to."""


class Blocked(Exception):
    """The site blocks the handler: the job ends as `blocked` and is not retried. Report a blocker, do not defeat it.

    `provider` names the blocking product, if it is known, such as `cloudflare`. `evidence` says how the blocker was
    recognised: names and values, stored as short strings.
    """

    def __init__(
        self, kind: BlockerKind, provider: str | None = None, evidence: Mapping[str, object] | None = None
    ) -> None:
        super().__init__(f"{kind} ({provider})" if provider else kind)
        self.kind = kind
        self.provider = provider
        self.evidence = dict(evidence or {})


class Failed(Exception):
    """The attempt failed for a reason that the module recognises.

    `type` is a short identifier such as `no_such_product`: 1 to 63 lower-case letters, digits, `_`, `.` and `-`, a
    letter first. The result has it as `error.type`. `retryable`: another attempt may succeed. `detail` is anything that
    JSON can hold, at most 16 KiB.
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
        # Authors also write `Failed(404)` and `Failed(error)`.
        self.message = str(message)
        self.type = type
        self.retryable = retryable
        self.detail = detail


class RetryLater(Failed):
    """The attempt failed and is to be tried again, no earlier than in `delay_seconds` if that is given.

    Raises ValueError unless `delay_seconds` is between 0 and one day.
    """

    def __init__(self, message: str = "The module asks for another attempt.", delay_seconds: float | None = None):
        if delay_seconds is not None and not 0 <= delay_seconds <= MAX_DELAY_SECONDS:
            raise ValueError(
                f"delay_seconds of RetryLater must be a number from 0 to {MAX_DELAY_SECONDS:.0f}, not {delay_seconds!r}"
            )
        super().__init__(
            message,
            type="retry_later",
            retryable=True,
            detail=None if delay_seconds is None else {"delay_seconds": delay_seconds},
        )
        self.delay_seconds = delay_seconds
