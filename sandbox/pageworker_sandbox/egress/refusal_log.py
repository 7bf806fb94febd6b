"""Which refusals the supervisor hears of: few, and bounded whatever a runner does. Pure."""

from collections import deque

from pageworker_sandbox.egress.limits import EgressLimits
from pageworker_sandbox.egress.messages import Notice, Reason
from pageworker_sandbox.egress.target import Target
from pageworker_sandbox.wire.cpu_budget import TokenBucket


class RefusalLog:
    """Notices of one cell that wait to be sent."""

    def __init__(self, cell_id: str, limits: EgressLimits, now: float) -> None:
        self._cell_id = cell_id
        self._pace = TokenBucket(limits.notices_per_second, limits.notices_burst, now)
        self._waiting: deque[Notice] = deque()
        self._most = limits.notices_burst
        self._suppressed = 0

    def add(self, reason: Reason, target: Target, now: float) -> bool:
        """One more refusal. True: there is something to send."""
        if len(self._waiting) >= self._most or not self._pace.take(now):
            self._suppressed += 1
            return False
        self._waiting.append(
            Notice(
                cell_id=self._cell_id,
                reason=reason,
                host=target.host,
                port=target.port,
                suppressed=self._suppressed,
            )
        )
        self._suppressed = 0
        return True

    def drain(self) -> list[Notice]:
        """All that wait, oldest first."""
        notices = list(self._waiting)
        self._waiting.clear()
        return notices
