"""One worker's count of open requests to one host: what it may begin, and what it tells Redis when. Pure.

The worker has a number of permits. A request that ends leaves its permit to the next one, without a call. Redis knows
the number, which is valid for a while (queue/request_counts.py). While a call is on its way, the worker uses only what
the call tells: what it gives back may belong to another worker already, and what it asks for is not granted yet.

Times are those of the event loop.
"""

from dataclasses import dataclass
from math import inf

from pageworker_supervisor.queue.request_counts import LEASE_SECONDS, CountReply

RENEW_SECONDS = 2.0
"""From one call to the next while the worker has permits. It learns from the reply that other workers wait."""
SPARE_SECONDS = 5.0
"""How long a worker keeps permits that it does not use, if no other one waits."""
GIVE_BACK_SECONDS = 0.05
"""The same if another one waits. What ends meanwhile is given back together."""
CALL_PAUSE_SECONDS = 0.02
"""From one call to the next, whatever pages do."""
TURN_SECONDS = 0.5
"""How long a worker uses what it was granted before its share of the limit counts. A permit changes hands in about
0.1 s, which short requests would lose each time."""
RETRY_SECONDS = 1.0
"""From a call that failed to the next."""
LEASE_MARGIN_SECONDS = 2.0
"""The permits end for the worker before they end for Redis."""
WANTS_PER_CALL = 1000


@dataclass(frozen=True)
class CountCall:
    """What a worker tells Redis."""

    holds: int
    wants: int


class OpenCount:
    """The permits of one worker for one host. `limit`: of the host, for all workers together; None: no limit now."""

    def __init__(self) -> None:
        self.open = 0
        """Requests that are open."""
        self._held = 0
        """Permits. At most what Redis has counted."""
        self._keep: int | None = None
        self._turn_until = -inf
        self._valid_until = -inf
        self._spare_since = inf
        self._calling = False
        self._called_at = -inf
        self._ask_at = -inf
        self._doubtful_until = -inf
        """After a call that failed: when the next one is due. Redis may have granted more than the worker knows."""

    @property
    def idle(self) -> bool:
        """Whether nothing of it is needed any more."""
        return not (self.open or self._held or self._calling or self._doubtful_until > -inf)

    def begin(self, limit: int | None, now: float) -> bool:
        """Begin a request, if there is a permit for it."""
        if not self._may_begin(limit, now):
            return False
        self.open += 1
        if self.open >= self._held:
            self._spare_since = inf
        return True

    def end(self, now: float) -> None:
        """A request has ended."""
        self.open -= 1
        self._note_spare(now)

    def due_at(self, waiting: int, limit: int | None, now: float) -> float:
        """When the next call is due, at which `waiting` requests wait; inf: not before something happens."""
        if self._calling or limit is None:
            return inf
        at = inf
        if self._held > self.open:
            patience = SPARE_SECONDS if self._keep is None else GIVE_BACK_SECONDS
            at = self._spare_since + patience
        if waiting and not self._may_begin(limit, now):
            # A spare permit that may not be used is for another worker.
            at = min(at, now if self._held > self.open and self._keep is None else self._ask_at)
        if self.open or self._held:
            at = min(at, self._called_at + RENEW_SECONDS)
        if self._doubtful_until > -inf:
            at = self._doubtful_until
        return max(at, self._called_at + CALL_PAUSE_SECONDS)

    def call(self, waiting: int, limit: int, now: float) -> CountCall:
        """Begin a call. One at a time; `replied` or `failed` ends it."""
        patience = SPARE_SECONDS if self._keep is None else 0.0
        if waiting or now >= min(self._spare_since + patience, self._valid_until) or self._held > limit:
            self._held = self.open
        # Requests that began while there was no limit need permits, too.
        self._held = max(self._held, self.open)
        if self._held == self.open:
            self._spare_since = inf
        self._calling = True
        self._called_at = now
        return CountCall(self._held, min(waiting, limit, WANTS_PER_CALL))

    def replied(self, call: CountCall, reply: CountReply, began: float, now: float) -> None:
        """The call has ended. `began`: when it was sent for the last time."""
        self._calling = False
        self._held = call.holds + reply.granted
        self._keep = reply.keep
        self._valid_until = began + LEASE_SECONDS - LEASE_MARGIN_SECONDS
        self._ask_at = now + reply.retry_seconds
        self._doubtful_until = -inf
        if reply.granted:
            self._turn_until = now + TURN_SECONDS
            self._spare_since = inf
        self._note_spare(now)

    def failed(self, now: float) -> None:
        """The call has failed: it may have reached Redis, or not."""
        self._calling = False
        self._doubtful_until = now + RETRY_SECONDS

    def _may_begin(self, limit: int | None, now: float) -> bool:
        if limit is None:
            return True
        keep = self._held if self._keep is None or now < self._turn_until else self._keep
        return self.open < min(self._held, limit, keep) and now < self._valid_until

    def _note_spare(self, now: float) -> None:
        if self.open < self._held and self._spare_since == inf:
            self._spare_since = now
