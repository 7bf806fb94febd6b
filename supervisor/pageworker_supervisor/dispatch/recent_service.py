"""How long jobs held their pages lately, and how many ended. Pure: from samples of counts, without looking at jobs.

By Little's law, the mean time that a job holds a page is the sum over time of the pages that were held, divided by the
jobs that ended.
"""

from collections import deque

BUCKET_SECONDS = 10.0
BUCKETS = 60
"""Ten minutes: enough jobs for a mean, and short enough to follow a change of the load."""
BUCKETS_PER_MINUTE = 6


class RecentService:
    """What was sampled in the last ten minutes. Times are monotonic seconds."""

    def __init__(self, now: float) -> None:
        self._buckets: deque[tuple[float, int]] = deque(maxlen=BUCKETS)
        """Page-seconds, and jobs that ended, of each ten seconds that are over."""
        self._bucket_since = self._sampled = now
        self._page_seconds = 0.0
        self._taken = 0
        self._ended_before = self._ended = 0

    def sample(self, now: float, taken: int, ended: int) -> None:
        """`taken`: pages that jobs hold now. `ended`: jobs with a page that have ended, since the start."""
        self._page_seconds += self._taken * (now - self._sampled)
        self._sampled, self._taken, self._ended = now, taken, ended
        if now - self._bucket_since >= BUCKET_SECONDS:
            self._buckets.append((self._page_seconds, ended - self._ended_before))
            self._bucket_since, self._page_seconds, self._ended_before = now, 0.0, ended

    @property
    def service_seconds(self) -> float | None:
        """Mean seconds that a job held its page; None: no job has ended."""
        ended = sum(count for _, count in self._buckets) + self._ended - self._ended_before
        seconds = sum(held for held, _ in self._buckets) + self._page_seconds
        return seconds / ended if ended else None

    @property
    def jobs_per_minute(self) -> float:
        """Jobs that ended in the last minute. Less than a minute after the start, those since then."""
        last = list(self._buckets)[-BUCKETS_PER_MINUTE:]
        # Six whole buckets are a minute; while there are fewer, the one that fills counts too.
        rest = self._ended - self._ended_before if len(last) < BUCKETS_PER_MINUTE else 0
        return float(sum(count for _, count in last) + rest)
