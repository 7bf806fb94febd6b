"""The section `[scaling]`: how many workers `workerctl scale` asks for."""

from typing import Annotated

from msgspec import Meta

from pageworker_supervisor.config.section import Section

Seconds = Annotated[float, Meta(gt=0, le=86_400)]
Workers = Annotated[int, Meta(ge=0, le=100_000)]


class ScalingSettings(Section, frozen=True):
    """How many workers `workerctl scale` asks for (docs/scaling.md). Workers themselves do not read it. Several fleet
    processes of one Redis need the same values."""

    min_workers: Workers = 0
    """Fewest workers. 0: a fleet without work has no worker, and one job wakes it."""
    max_workers: Annotated[int, Meta(ge=1, le=100_000)] = 100
    """Most workers."""
    target_age_seconds: Seconds = 60.0
    """Seconds that a job may wait until it starts, if no limit holds it up."""
    worker_start_seconds: Seconds = 45.0
    """Seconds from asking for a worker until it claims jobs. If this is longer than `target_age_seconds`, the age
    cannot be kept when the load grows."""
    scale_down_seconds: Annotated[float, Meta(ge=0, le=3600)] = 600.0
    """A worker is given up only after it was not needed for this many seconds."""
    utilisation: Annotated[float, Meta(ge=0.1, le=1)] = 0.95
    """Share of its pages that a fleet under constant load uses. The rest takes up what grows while workers start."""
    service_seconds: Seconds = 10.0
    """Seconds that a job holds its page, while no job has ended that this could be measured with."""
    pages_per_worker: Annotated[int, Meta(ge=1, le=4096)] | None = None
    """Jobs that one worker runs at once. Default: what the live workers report; without any, `pool.runners` times
    `pool.pages`."""
