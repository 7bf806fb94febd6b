"""Which refusals are reported to the supervisor: a limited number, whatever a runner does. Pure."""

from collections import deque

from pageworker_sandbox.egress.limits import EgressLimits
from pageworker_sandbox.egress.messages import Reason, RefusalNotice
from pageworker_sandbox.egress.target import Target
from pageworker_sandbox.wire.token_bucket import TokenBucket


class RefusalLog:
    """The unsent notices of one runner."""

    def __init__(self, runner_id: str, limits: EgressLimits, now: float) -> None:
        self._runner_id = runner_id
        self._bucket = TokenBucket(limits.notices_per_second, limits.notices_burst, now)
        self._unsent: deque[RefusalNotice] = deque()
        self._max_unsent = limits.notices_burst
        self._suppressed = 0

    def add(self, reason: Reason, target: Target, now: float) -> bool:
        """Record a refusal. False: it was only counted. True: there is a notice to send."""
        if len(self._unsent) >= self._max_unsent or not self._bucket.take(now):
            self._suppressed += 1
            return False
        self._unsent.append(
            RefusalNotice(
                runner_id=self._runner_id,
                reason=reason,
                host=target.host,
                port=target.port,
                suppressed=self._suppressed,
            )
        )
        self._suppressed = 0
        return True

    def drain(self) -> list[RefusalNotice]:
        """Remove and return all unsent notices, oldest first."""
        notices = list(self._unsent)
        self._unsent.clear()
        return notices
