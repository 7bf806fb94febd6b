"""Records of finished requests and tunnels, for the supervisor's access log.

The gateway reports a share of them, and a limited number per second, whatever a runner does. While the share is 0, a
request costs one comparison. A record has no path, no query and no header: they may hold secrets.
"""

import random
from collections.abc import Callable
from types import TracebackType
from typing import Self

from pageworker_sandbox.egress.errors import EgressRefused, TargetUnreachable
from pageworker_sandbox.egress.limited_queue import LimitedQueue
from pageworker_sandbox.egress.limits import EgressLimits
from pageworker_sandbox.egress.messages import AccessRecord
from pageworker_sandbox.egress.meter import Meter
from pageworker_sandbox.egress.stream import Stream
from pageworker_sandbox.egress.target import Target

MAX_METHOD_CHARACTERS = 16


class AccessSampling:
    """Which share of the requests of all runners is recorded, 0 to 1. It may change at any time."""

    def __init__(self) -> None:
        self.share = 0.0


class RequestRecord:
    """A request that is not recorded. Use it as a `with` block around the request."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """The request has ended."""

    def watch(self, origin: Stream) -> None:
        """The request's bytes are on this connection, until another request watches it."""

    def answered(self, status: int) -> None:
        """The host answered with this status."""


NOT_RECORDED = RequestRecord()


class AccessLog:
    """The unsent records of one runner. `on_record` is called when there is one to send."""

    def __init__(
        self,
        runner_id: str,
        limits: EgressLimits,
        sampling: AccessSampling,
        clock: Callable[[], float],
        on_record: Callable[[], None],
    ) -> None:
        """`clock` gives seconds, e.g. the time of the event loop."""
        self.clock = clock
        self._runner_id = runner_id
        self._sampling = sampling
        self._on_record = on_record
        self._unsent = LimitedQueue[AccessRecord](limits.records_per_second, limits.records_burst, clock())

    def request(self, method: bytes, target: Target, meter: Meter) -> RequestRecord:
        """A request begins. Its bytes are counted by `meter` as well."""
        share = self._sampling.share
        if share == 0.0 or (share < 1.0 and random.random() >= share):
            return NOT_RECORDED
        return OpenRequest(self, method, target, meter)

    def add(self, method: str, target: Target, request: "OpenRequest", reason: str) -> None:
        """Record a request that has ended."""
        now = self.clock()

        def record(suppressed: int) -> AccessRecord:
            return AccessRecord(
                runner_id=self._runner_id,
                method=method,
                host=target.host,
                port=target.port,
                status=request.status,
                up_bytes=request.up_bytes,
                down_bytes=request.down_bytes,
                seconds=max(0.0, now - request.began_at),
                reason=reason,
                suppressed=suppressed,
            )

        if self._unsent.add(record, now):
            self._on_record()

    def drain(self) -> list[AccessRecord]:
        """Remove and return all unsent records, oldest first."""
        return self._unsent.drain()


class OpenRequest(RequestRecord):
    """A request that is recorded when it ends. It counts the bytes of the connections that it watches."""

    def __init__(self, log: AccessLog, method: bytes, target: Target, meter: Meter) -> None:
        self.began_at = log.clock()
        self.status: int | None = None
        self.up_bytes = 0
        self.down_bytes = 0
        self._log = log
        self._method = method[:MAX_METHOD_CHARACTERS].decode("ascii", "replace")
        self._target = target
        self._meter = meter
        self._origin: Stream | None = None

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Record it, with the reason for which it was refused or failed."""
        reason = error.reason if isinstance(error, EgressRefused | TargetUnreachable) else ""
        if self._origin is not None and self._origin.over_budget:
            reason = "budget_exhausted"
        self._log.add(self._method, self._target, self, reason)

    def watch(self, origin: Stream) -> None:
        """Count this connection's bytes for the request, too."""
        self._origin = origin
        origin.count_with(self)

    def answered(self, status: int) -> None:
        """Keep the status."""
        self.status = status

    def send(self, count: int) -> int:
        """As `Meter.send`."""
        permitted = self._meter.send(count)
        self.up_bytes += permitted
        return permitted

    def receive(self, count: int) -> int:
        """As `Meter.receive`."""
        permitted = self._meter.receive(count)
        self.down_bytes += permitted
        return permitted
