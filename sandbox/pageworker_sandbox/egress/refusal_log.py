"""Which refusals are reported to the supervisor: a limited number, whatever a runner does. Pure.

The first one for a budget is always reported: the supervisor ends the attempt for it.
"""

from pageworker_sandbox.egress.limited_queue import LimitedQueue
from pageworker_sandbox.egress.limits import EgressLimits
from pageworker_sandbox.egress.messages import Reason, RefusalNotice
from pageworker_sandbox.egress.target import Target


class RefusalLog:
    """The unsent notices of one runner."""

    def __init__(self, runner_id: str, limits: EgressLimits, now: float) -> None:
        self._runner_id = runner_id
        self._unsent = LimitedQueue[RefusalNotice](limits.notices_per_second, limits.notices_burst, now)
        self._budget_reported = False

    def new_policy(self) -> None:
        """The runner may have another budget from now on."""
        self._budget_reported = False

    def add(self, reason: Reason, target: Target, now: float) -> bool:
        """Record a refusal. False: it was only counted. True: there is a notice to send."""

        def notice(suppressed: int) -> RefusalNotice:
            return RefusalNotice(
                runner_id=self._runner_id, reason=reason, host=target.host, port=target.port, suppressed=suppressed
            )

        first = reason == "budget_exhausted" and not self._budget_reported
        self._budget_reported = self._budget_reported or first
        return self._unsent.add(notice, now, always=first)

    def drain(self) -> list[RefusalNotice]:
        """Remove and return all unsent notices, oldest first."""
        return self._unsent.drain()
