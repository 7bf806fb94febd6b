"""Divides what the egress gateway counts for one runner among the jobs that run on it. Pure.

The gateway sees connections of a runner, not of a page: the pages of a browser share connections. So the ledger looks
at the counts whenever a job begins or ends. What was counted between two looks is divided equally among the jobs that
ran between them. Without such a job it is unattributed: it is in the tenant's metrics alone. Every count goes to
exactly one place (docs/adr/0044-traffic-per-job.md).
"""

from itertools import islice

from pageworker_supervisor.contract.traffic import NO_TRAFFIC, Traffic


class TrafficLedger:
    """`counted` is what the gateway has counted for the runner since its start. Jobs are named by their attempt id."""

    def __init__(self) -> None:
        self.counted = NO_TRAFFIC
        """At the last look. A count never goes down: the gateway may be taken over."""
        self.unattributed = NO_TRAFFIC
        """Counted while no job ran."""
        self._shares: dict[str, Traffic] = {}
        self._first = 0

    def look(self, counted: Traffic) -> Traffic:
        """Divide what was counted since the last look, and return it."""
        growth = counted.since(self.counted)
        if growth == NO_TRAFFIC:
            return growth
        self.counted += growth
        if not self._shares:
            self.unattributed += growth
        for attempt_id, part in zip(self._in_turn(), _parts(growth, len(self._shares)), strict=True):
            self._shares[attempt_id] += part
        return growth

    def begin(self, attempt_id: str) -> None:
        """The attempt runs from the last look on."""
        self._shares[attempt_id] = NO_TRAFFIC

    def end(self, attempt_id: str) -> Traffic:
        """The attempt ran until the last look. Returns its share; nothing if it has ended before."""
        return self._shares.pop(attempt_id, NO_TRAFFIC)

    def share(self, attempt_id: str) -> Traffic:
        """The share so far of an attempt that runs."""
        return self._shares.get(attempt_id, NO_TRAFFIC)

    def _in_turn(self) -> list[str]:
        """The attempts that run. Each look begins with another one, which gets what does not divide evenly."""
        attempts = list(self._shares)
        self._first += 1
        first = self._first % len(attempts) if attempts else 0
        return [*islice(attempts, first, None), *islice(attempts, first)]


def _parts(whole: Traffic, count: int) -> list[Traffic]:
    """`count` parts that differ by at most 1 and add up to the whole."""
    return [
        Traffic(
            _part(whole.requests, count, number),
            _part(whole.bytes_in, count, number),
            _part(whole.bytes_out, count, number),
        )
        for number in range(count)
    ]


def _part(whole: int, count: int, number: int) -> int:
    return whole // count + (number < whole % count)
