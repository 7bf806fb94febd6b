"""A recorded or invented load, run through the decider in virtual time. Pure.

Jobs start in the order in which they came, as soon as a page is free. A worker that is asked for claims its first job
`worker_start_seconds` after the autoscaler has asked for it, and the autoscaler looks every `poll_seconds`. A worker
that is given up ends its jobs first. It counts from the moment when it was asked for until its last job has ended.
"""

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from math import ceil

from msgspec import Struct

from pageworker_supervisor.config.scaling_settings import ScalingSettings
from pageworker_supervisor.scaling.decider import KEPT_SECONDS, SAMPLE_SECONDS, Load, LoadSample, decide

POLL_SECONDS = 15.0
"""How often the Horizontal Pod Autoscaler of Kubernetes looks."""
STEP_SECONDS = SAMPLE_SECONDS
HOUR = 3600


class Arrivals(Struct, frozen=True):
    """Jobs that come at one time. `at`: seconds from the beginning of the load."""

    at: float
    jobs: int
    service_seconds: float
    """That each of them holds its page."""


class SimulatedHour(Struct, frozen=True, kw_only=True):
    """What one hour of the load was like. Of the last one, the part that there is."""

    hour: int
    jobs: int
    minutes: int
    minutes_in_time: int
    """In which no job waited longer than the target age at any second."""
    largest_age_seconds: float
    fewest_workers: int
    most_workers: int
    worker_hours: float
    """Of all workers that there were, from the moment when each was asked for."""
    busy_worker_hours: float
    """The same work by workers whose pages are always in use."""
    reversals: int
    """Times that the wanted number went down after it went up, or up after it went down."""

    @property
    def over_provisioned(self) -> float:
        """Part of the workers beyond those that the work needs: 0.1 is ten percent."""
        return self.worker_hours / self.busy_worker_hours - 1 if self.busy_worker_hours else 0.0


class Simulation(Struct, frozen=True, kw_only=True):
    """A whole load."""

    hours: tuple[SimulatedHour, ...]
    minutes: int
    in_time: float
    """Part of the minutes in which the age was at most the target."""
    over_provisioned: float
    reversals_per_hour: float
    most_reversals: int
    """In one hour."""
    most_workers: int


class _Workers:
    """The workers of the fleet: those that start, those that work, those that end their last jobs."""

    def __init__(self, start_seconds: float) -> None:
        self._start_seconds = start_seconds
        self._starting: deque[tuple[float, int]] = deque()
        self.up = 0
        self.starting = 0

    def follow(self, wanted: int, now: float) -> None:
        """The autoscaler asks for workers, or gives some up, those first that do not work yet."""
        missing = wanted - self.up - self.starting
        if missing > 0:
            self._starting.append((now + self._start_seconds, missing))
            self.starting += missing
            return
        while missing < 0 and self._starting:
            ready, count = self._starting.pop()
            given_up = min(count, -missing)
            if count > given_up:
                self._starting.append((ready, count - given_up))
            self.starting -= given_up
            missing += given_up
        self.up += missing

    def start(self, now: float) -> None:
        """Those whose start is over work from now on."""
        while self._starting and self._starting[0][0] <= now:
            _, count = self._starting.popleft()
            self.starting -= count
            self.up += count


class _Hour:
    """Counts for a SimulatedHour."""

    def __init__(self, hour: int, workers: int) -> None:
        self.hour = hour
        self.jobs = self.reversals = 0
        self.seconds = 0.0
        self.late = set[int]()
        self.largest_age = 0.0
        self.fewest = self.most = workers
        self.worker_seconds = self.busy_seconds = 0.0

    def step(self, now: float, age: float, target: float, workers: int, provided: float, busy: float) -> None:
        self.seconds += STEP_SECONDS
        self.largest_age = max(self.largest_age, age)
        if age > target:
            self.late.add(int(now // 60))
        self.fewest, self.most = min(self.fewest, workers), max(self.most, workers)
        self.worker_seconds += provided * STEP_SECONDS
        self.busy_seconds += busy * STEP_SECONDS

    def result(self) -> SimulatedHour:
        minutes = ceil(self.seconds / 60)
        return SimulatedHour(
            hour=self.hour,
            jobs=self.jobs,
            minutes=minutes,
            minutes_in_time=minutes - len(self.late),
            largest_age_seconds=round(self.largest_age, 1),
            fewest_workers=self.fewest,
            most_workers=self.most,
            worker_hours=round(self.worker_seconds / HOUR, 3),
            busy_worker_hours=round(self.busy_seconds / HOUR, 3),
            reversals=self.reversals,
        )


@dataclass(slots=True)
class _Group:
    """Jobs that came together and wait."""

    since: float
    jobs: int
    service_seconds: float


class _Fleet:
    """Jobs that wait and jobs that run. A step is STEP_SECONDS long.

    A job runs for a whole number of steps, and uses as much of a page as makes its work exact. So a job that is shorter
    than a step uses a part of a page for one step.
    """

    def __init__(self) -> None:
        self._waiting: deque[_Group] = deque()
        self._ends: dict[int, list[tuple[int, float]]] = {}  # by step: jobs that end, and their pages
        self.waiting = self.jobs = self.started = 0
        self.pages = 0.0
        """In use."""

    def step(self, step: int, coming: Iterable[Arrivals], pages: int) -> int:
        """One step passes. Returns how many jobs came."""
        for jobs, held in self._ends.pop(step, ()):
            self.jobs -= jobs
            self.pages = max(0.0, self.pages - held) if self.jobs else 0.0
        came = 0
        for arrivals in coming:
            self._waiting.append(_Group(step * STEP_SECONDS, arrivals.jobs, arrivals.service_seconds))
            came += arrivals.jobs
        self.waiting += came
        while self._waiting:
            first = self._waiting[0]
            steps = max(1, round(first.service_seconds / STEP_SECONDS))
            each = first.service_seconds / (steps * STEP_SECONDS)
            count = min(first.jobs, int((pages - self.pages) / each + 1e-6))
            if count <= 0:
                break
            self._ends.setdefault(step + steps, []).append((count, count * each))
            self.pages += count * each
            self.jobs += count
            self.started += count
            self.waiting -= count
            first.jobs -= count
            if not first.jobs:
                self._waiting.popleft()
        return came

    def age(self, now: float) -> float:
        """Seconds that the oldest waiting job has waited."""
        return now - self._waiting[0].since if self._waiting else 0.0


def simulate(
    load: Sequence[Arrivals], settings: ScalingSettings, pages_per_worker: int, poll_seconds: float = POLL_SECONDS
) -> Simulation:
    """Run a load, in the order of its times, from a fleet that has as many workers as its first minute needs."""
    return _summary(list(_hours(load, settings, pages_per_worker, poll_seconds)))


def _hours(
    load: Sequence[Arrivals], settings: ScalingSettings, pages: int, poll_seconds: float
) -> Iterator[SimulatedHour]:
    fleet, workers, history = _Fleet(), _Workers(settings.worker_start_seconds), list[LoadSample]()
    wanted = workers.up = _first_workers(load, settings, pages)
    hour, direction, index, polled = _Hour(0, wanted), 0, 0, -poll_seconds
    for step in range(int(load[-1].at // STEP_SECONDS) + 1 if load else 0):
        now = step * STEP_SECONDS
        if now // HOUR != hour.hour:
            yield hour.result()
            hour = _Hour(int(now // HOUR), wanted)
        workers.start(now)
        begins = index
        while index < len(load) and load[index].at < now + STEP_SECONDS:
            index += 1
        hour.jobs += fleet.step(step, load[begins:index], workers.up * pages)
        decision, sample = decide(_seen(fleet, now, workers.up, pages), history, settings)
        turned = (decision.wanted_workers > wanted) - (decision.wanted_workers < wanted)
        hour.reversals += turned * direction < 0
        direction, wanted = turned or direction, decision.wanted_workers
        history.append(sample)
        if history[0].at < now - 2 * KEPT_SECONDS:
            history = [sample for sample in history if sample.at >= now - KEPT_SECONDS]
        if now - polled >= poll_seconds:
            polled = now
            workers.follow(wanted, now)
        busy = fleet.pages / pages
        provided = max(workers.up, busy) + workers.starting
        hour.step(now, fleet.age(now), settings.target_age_seconds, wanted, provided, busy)
    if hour.seconds:
        yield hour.result()


def _seen(fleet: _Fleet, now: float, workers: int, pages: int) -> Load:
    return Load(
        at=now,
        waiting=fleet.waiting,
        running=round(fleet.pages),
        started=fleet.started,
        live_workers=workers,
        pages_per_worker=pages,
    )


def _first_workers(load: Sequence[Arrivals], settings: ScalingSettings, pages: int) -> int:
    work = sum(each.jobs * each.service_seconds for each in load if each.at < 60)
    needed = ceil(work / 60 / settings.utilisation / pages)
    return min(settings.max_workers, max(settings.min_workers, needed))


def _summary(hours: Sequence[SimulatedHour]) -> Simulation:
    minutes = sum(hour.minutes for hour in hours)
    busy = sum(hour.busy_worker_hours for hour in hours)
    reversals = sum(hour.reversals for hour in hours)
    return Simulation(
        hours=tuple(hours),
        minutes=minutes,
        in_time=sum(hour.minutes_in_time for hour in hours) / minutes if minutes else 1.0,
        over_provisioned=sum(hour.worker_hours for hour in hours) / busy - 1 if busy else 0.0,
        reversals_per_hour=reversals / (minutes / 60) if minutes else 0.0,
        most_reversals=max((hour.reversals for hour in hours), default=0),
        most_workers=max((hour.most_workers for hour in hours), default=0),
    )
