"""How many workers the fleet needs. Pure.

All quantities are pages, because a job holds one page. A worker has `pages_per_worker` of them.

**Load.** `R` is the number of pages that jobs hold, as its mean over the last RATE_SECONDS, and `g` the growth of the
waiting jobs per second in that time. If no jobs wait, `R` is the whole load. If the fleet is too small, `R` is only
what the fleet can hold, and `g` is what it cannot: `R + g * s` pages would hold everything that comes, where `s` is the
time that a job holds its page. While a backlog is worked off, `g` is negative. A job that outlives the planning
horizon holds its page in any case. So where `s` is longer than that, only the part `horizon / s` of the load follows
`R + g * s`, and the rest is what runs now. The setting `utilisation` adds what grows while a worker starts.

**Backlog.** `W` jobs that wait, and that no limit holds up, begin within `D` seconds if `W * s / D` pages work on
nothing else; one page per job is always enough. `D` is what the target age leaves after the start of a worker. A short
queue is no backlog: as many jobs as come in TOLERATED_SHARE of the target age.

**Service time.** `s` is the page-seconds that jobs held, divided by the jobs that gave back their page, over the last
SERVICE_SECONDS. It stays right while the longest jobs have not ended yet (censored observations of an exponential
distribution). What is known before counts like one more job, and alone while nothing has ended.

**Down** is slow: the fleet shrinks to the largest need of the last `scale_down_seconds`, and only by more than
TOLERANCE_DOWN, so that noise does not move it. It never shrinks before the samples cover that time without a gap.
"""

from bisect import bisect_left
from collections.abc import Sequence
from math import ceil
from typing import Annotated

from msgspec import Meta, Struct
from msgspec.structs import replace

from pageworker_supervisor.config.scaling_settings import ScalingSettings

SAMPLE_SECONDS = 5.0
"""Between two samples."""
RATE_SECONDS = 60.0
"""The mean load and the growth of the backlog are measured over this time."""
SERVICE_SECONDS = 600.0
"""The service time is measured over this time."""
KEPT_SECONDS = 4000.0
"""Samples are kept so long. It is more than `scale_down_seconds` can be."""
GAP_SECONDS = 60.0
"""If there is no sample for this time, no process looked at the fleet. Earlier samples measure nothing."""
TOLERANCE_DOWN = 0.1
"""A need that is smaller by at most this part of the wanted number does not change it."""
TOLERANCE_UP = 0.05
"""A need that is larger by at most this part does not change it, if the jobs fit at full utilisation."""
TOLERATED_SHARE = 0.25
LEAST_SERVICE_SECONDS = 0.001
DRAIN_SHARE = 0.75
"""Part of the remaining time in which the backlog is to begin. The rest is for what is measured late."""
LEAST_DRAIN = 0.25
"""`D` is at least this part of the target age, even if a worker starts later than that."""


Quantity = Annotated[float, Meta(ge=0, le=1e15)]
Number = Annotated[int, Meta(ge=0, le=10**15)]
"""Of samples, which are read from Redis: with larger ones, the arithmetic would overflow."""


class Load(Struct, frozen=True, kw_only=True):
    """What the fleet has to do now."""

    at: float
    """Unix seconds on Redis' clock."""
    waiting: int
    """Jobs that a further worker could start: no limit, pause or held profile keeps them."""
    known: int = 0
    """How many of them belong to a tenant whose jobs have a known service time."""
    known_seconds: float = 0.0
    """Sum of these service times."""
    unshared_pages: int = 0
    """Pages that stay empty in the runners of the waiting jobs, because jobs of other contexts may not use them."""
    running: int
    """Jobs that hold a page."""
    started: int
    """Jobs that were ever claimed: a counter that only grows."""
    other_work: bool = False
    """Something else needs a worker: a result to write, a callback to send, a lease that has expired."""
    live_workers: int = 0
    pages_per_worker: float


class LoadSample(Struct, frozen=True, kw_only=True):
    """What is kept of one decision, for the next ones."""

    at: Quantity
    since: Quantity
    """When the samples begin that are followed by this one without a gap."""
    waiting: Number
    running: Number
    started: Number
    held_seconds: Quantity
    """Page-seconds that jobs held since then."""
    ended: Number
    """Jobs that gave back their page since then."""
    pages_per_worker: Quantity
    needed: Number
    wanted: Number


class Decision(Struct, frozen=True, kw_only=True):
    """How many workers, and why."""

    wanted_workers: Number
    needed_workers: Number
    """Without the wait before the fleet shrinks."""
    load_pages: Quantity
    """Pages for the jobs that run and those that come."""
    backlog_pages: Quantity
    """Pages for the jobs that wait."""
    service_seconds: Quantity
    service_measured: bool
    """False: no job has ended lately, so `service_seconds` is the setting, or what the waiting jobs' tenants are known
    for."""
    pages_per_worker: Quantity
    why: str


def decide(load: Load, history: Sequence[LoadSample], settings: ScalingSettings) -> tuple[Decision, LoadSample]:
    """The wanted number of workers, and what to keep for later decisions. `history`: samples before `load`, the oldest
    first."""
    now = _measured(load, history[-1] if history else None)
    service, measured = _service_seconds(load, now, history, settings.service_seconds)
    load_pages = _load_pages(now, history, service, settings)
    backlog_pages = _backlog_pages(load, service, load_pages, settings)
    least = _workers(load, load_pages + backlog_pages, settings)
    needed = _workers(load, load_pages / settings.utilisation + backlog_pages, settings)
    wanted, why = _held(load, now, history, least, needed, settings)
    decision = Decision(
        wanted_workers=wanted,
        needed_workers=needed,
        load_pages=round(load_pages, 2),
        backlog_pages=round(backlog_pages, 2),
        service_seconds=round(service, 3),
        service_measured=measured,
        pages_per_worker=load.pages_per_worker,
        why=why,
    )
    return decision, replace(now, needed=needed, wanted=wanted)


def drain_seconds(settings: ScalingSettings) -> float:
    """In which time the jobs that wait are to begin, from the moment when a new worker is up."""
    target = settings.target_age_seconds
    return max(DRAIN_SHARE * (target - settings.worker_start_seconds), LEAST_DRAIN * target)


def _measured(load: Load, last: LoadSample | None) -> LoadSample:
    """The sample of now, but for what is decided."""
    since, held, ended = load.at, 0.0, 0
    if last is not None and 0 <= load.at - last.at <= GAP_SECONDS and load.started >= last.started:
        since, held, ended = last.since, last.held_seconds, last.ended
        held += (last.running + load.running) / 2 * (load.at - last.at)
        ended += max(0, load.started - last.started - (load.running - last.running))
    return LoadSample(
        at=load.at,
        since=since,
        waiting=load.waiting,
        running=load.running,
        started=load.started,
        held_seconds=held,
        ended=ended,
        pages_per_worker=load.pages_per_worker,
        needed=0,
        wanted=0,
    )


def _earlier(now: LoadSample, history: Sequence[LoadSample], seconds: float) -> LoadSample:
    """The oldest sample of the last `seconds` that no gap separates from now; `now` if there is none."""
    begins = max(now.since, now.at - seconds)
    index = bisect_left(history, begins, key=lambda sample: sample.at)
    return history[index] if index < len(history) else now


def _service_seconds(load: Load, now: LoadSample, history: Sequence[LoadSample], default: float) -> tuple[float, bool]:
    """Seconds that a job holds its page, and whether that was measured."""
    one_more = load.known_seconds / load.known if load.known else default
    first = _earlier(now, history, SERVICE_SECONDS)
    # Both only grow. Samples are in Redis, where others may write.
    ended = max(0, now.ended - first.ended)
    held = max(0.0, now.held_seconds - first.held_seconds)
    return max(LEAST_SERVICE_SECONDS, (held + one_more) / (ended + 1)), ended > 0


def _load_pages(now: LoadSample, history: Sequence[LoadSample], service: float, settings: ScalingSettings) -> float:
    first = _earlier(now, history, RATE_SECONDS)
    seconds = now.at - first.at
    if seconds <= 0:
        return now.running
    held = (now.held_seconds - first.held_seconds) / seconds
    growth = (now.waiting - first.waiting) / seconds
    horizon = max(settings.target_age_seconds, settings.worker_start_seconds)
    part = min(1.0, horizon / service)
    return (1 - part) * now.running + part * max(0.0, held + growth * service)


def _backlog_pages(load: Load, service: float, load_pages: float, settings: ScalingSettings) -> float:
    if not load.waiting:
        return 0.0
    mean = (load.known_seconds + (load.waiting - load.known) * service) / load.waiting
    tolerated = load_pages / service * TOLERATED_SHARE * settings.target_age_seconds
    late = max(0.0, load.waiting - tolerated) * (1 + load.unshared_pages / load.waiting)
    return min(late, late * mean / drain_seconds(settings))


def _workers(load: Load, pages: float, settings: ScalingSettings) -> int:
    needed = ceil(pages / load.pages_per_worker - 1e-9)
    if load.waiting or load.running or load.other_work:
        needed = max(1, needed)
    return min(settings.max_workers, max(settings.min_workers, needed))


def _held(
    load: Load,
    now: LoadSample,
    history: Sequence[LoadSample],
    least: int,
    needed: int,
    settings: ScalingSettings,
) -> tuple[int, str]:
    """The number that noise does not move, and why it is that. `least`: the need at full utilisation."""
    before = history[-1].wanted if history and load.at - history[-1].at < KEPT_SECONDS else load.live_workers
    before = min(settings.max_workers, max(settings.min_workers, before))
    if least <= before < needed <= before * (1 + TOLERANCE_UP):
        return before, "the need is within the tolerance of this number"
    if needed >= before:
        return needed, "the load needs them" if needed > settings.min_workers else "nothing needs more than min_workers"
    begins = load.at - settings.scale_down_seconds
    if now.since > begins:
        return before, "the fleet shrinks only after scale_down_seconds without need"
    index = bisect_left(history, begins, key=lambda sample: sample.at)
    peak = max(needed, max((sample.needed for sample in history[index:]), default=0))
    if peak >= before * (1 - TOLERANCE_DOWN) and peak > 0:
        return before, "the need is within the tolerance of this number"
    return peak, "fewer were needed for scale_down_seconds"
