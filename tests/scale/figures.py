"""From what a Redis used to what it costs: per idle worker, per job, and where one Redis ends. Pure."""

from collections.abc import Iterator, Sequence

from msgspec import Struct

FULL = 0.7
"""Share of its one thread that a Redis should use: above it, calls begin to wait for each other."""


class RedisUse(Struct, frozen=True):
    """What the busiest Redis used in some seconds: processor seconds of its main thread, and commands."""

    seconds: float
    cpu_seconds: float
    commands: int

    @property
    def share(self) -> float:
        """Of its one thread."""
        return self.cpu_seconds / self.seconds


def idle_row(idle: RedisUse, workers: int) -> dict[str, float]:
    """Of workers without jobs."""
    return {
        "idle_redis_share": round(idle.share, 4),
        "idle_us_per_worker_second": round(1e6 * idle.share / workers, 1),
        "idle_commands_per_worker_second": round(idle.commands / idle.seconds / workers, 2),
    }


def load_rows(idle: RedisUse, loaded: RedisUse, workers: int, jobs: int) -> Iterator[dict[str, float]]:
    """Of the same workers with so many jobs, from the first push to the last result."""
    per_job = max(0.0, loaded.cpu_seconds - idle.share * loaded.seconds) / jobs
    yield {
        "jobs_per_second": round(jobs / loaded.seconds, 1),
        "loaded_redis_share": round(loaded.share, 4),
        "redis_us_per_job": round(1e6 * per_job, 1),
    }
    yield {
        "full_at_jobs_per_second": round(max(0.0, FULL - idle.share) / per_job) if per_job else 0,
        "full_at_idle_workers": round(FULL / idle.share * workers) if idle.share else 0,
    }


def percentile(values: Sequence[float], share: float) -> float | None:
    """Of sorted values; None of none."""
    return round(values[min(len(values) - 1, int(share * len(values)))], 2) if values else None
