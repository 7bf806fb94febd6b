"""The wanted number of workers: enough for the target, steady, and none only without work."""

from collections.abc import Iterator
from math import ceil

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from pageworker_supervisor.config.scaling_settings import ScalingSettings
from pageworker_supervisor.scaling.decider import (
    GAP_SECONDS,
    SAMPLE_SECONDS,
    TOLERATED_SHARE,
    Decision,
    Load,
    LoadSample,
    decide,
    drain_seconds,
)

SETTINGS = ScalingSettings(max_workers=1000, target_age_seconds=60, worker_start_seconds=20, scale_down_seconds=300)
IDLE = Load(at=1e9, waiting=0, running=0, started=0, pages_per_worker=4)


class DecidedFleet:
    """Decisions one after the other, a sample apart."""

    def __init__(self, settings: ScalingSettings = SETTINGS) -> None:
        self.settings = settings
        self.history: list[LoadSample] = []
        self.load = IDLE

    def look(self, seconds: float = SAMPLE_SECONDS, **changes: float) -> Decision:
        self.load = replace(self.load, at=self.load.at + seconds, **changes)
        decision, sample = decide(self.load, self.history, self.settings)
        self.history.append(sample)
        return decision

    def steady(self, seconds: float, running: int, service: float) -> Iterator[Decision]:
        """As many jobs start as end."""
        for _ in range(int(seconds / SAMPLE_SECONDS)):
            started = self.load.started + round(SAMPLE_SECONDS * running / service)
            yield self.look(running=running, started=started, waiting=0)


def test_nothing_to_do_needs_no_worker() -> None:
    assert DecidedFleet().look().wanted_workers == 0


@pytest.mark.parametrize("work", [{"waiting": 1}, {"running": 1}, {"other_work": True}])
def test_one_thing_to_do_wakes_a_fleet_of_zero(work: dict[str, int]) -> None:
    fleet = DecidedFleet()
    fleet.look()
    decision = fleet.look(**work)
    assert decision.wanted_workers == 1
    assert decision.why == "the load needs them"


def test_limits_hold() -> None:
    settings = ScalingSettings(min_workers=2, max_workers=5)
    assert DecidedFleet(settings).look().wanted_workers == 2
    assert DecidedFleet(settings).look(waiting=10**6).wanted_workers == 5


def test_a_burst_on_an_empty_fleet_asks_for_what_starts_it_in_time() -> None:
    """100 jobs of 30 s within D = 30 s are 100 pages; a fleet that has until then is asked for less."""
    assert drain_seconds(SETTINGS) == 30
    jobs = {"waiting": 100, "known": 100}
    assert DecidedFleet().look(**jobs, known_seconds=3000.0).wanted_workers == 25
    assert DecidedFleet().look(**jobs, known_seconds=300.0).wanted_workers == ceil(100 * 3 / 30 / 4)
    assert DecidedFleet().look(**jobs, known_seconds=90_000.0).wanted_workers == 25, "one page per job is enough"


def test_pages_that_others_cannot_use_count() -> None:
    jobs = {"waiting": 8, "known": 8, "known_seconds": 8000.0}
    assert DecidedFleet().look(**jobs).wanted_workers == 2
    assert DecidedFleet().look(**jobs, unshared_pages=24).wanted_workers == 8, "eight runners of four pages"


def test_the_service_time_is_measured() -> None:
    fleet = DecidedFleet()
    decision = list(fleet.steady(600, running=40, service=8))[-1]
    assert decision.service_measured
    assert decision.service_seconds == pytest.approx(8, rel=0.1)
    assert decision.load_pages == pytest.approx(40)
    assert decision.wanted_workers == ceil(40 / SETTINGS.utilisation / 4)


def test_an_unknown_service_time_is_the_setting() -> None:
    decision = DecidedFleet().look(waiting=1)
    assert decision.service_seconds == SETTINGS.service_seconds
    assert not decision.service_measured


def test_jobs_that_have_not_ended_lengthen_the_measured_service_time() -> None:
    """Ten jobs began ten minutes ago and none has ended: the two quick ones do not speak for them."""
    fleet = DecidedFleet()
    fleet.look(running=10, started=10)
    for _ in range(100):
        decision = fleet.look()
    assert decision.service_seconds > 1000
    decision = fleet.look(started=12)
    assert decision.service_seconds > 1000


def test_a_fleet_that_is_too_small_is_asked_to_hold_what_comes() -> None:
    """It holds 4 pages, and 2 jobs of 10 s come per second: 20 pages."""
    fleet = DecidedFleet()
    for step in range(24):
        decision = fleet.look(running=4, started=2 * step, waiting=8 * step, live_workers=1)
    assert decision.load_pages == pytest.approx(4 + 8 / 5 * decision.service_seconds, rel=0.05)
    assert decision.wanted_workers * 4 > 20


def test_the_fleet_shrinks_only_after_the_wait_and_to_the_largest_need() -> None:
    fleet = DecidedFleet()
    before = list(fleet.steady(400, running=400, service=8))[-1].wanted_workers
    quiet = list(fleet.steady(290, running=100, service=8))
    assert {decision.wanted_workers for decision in quiet} == {before}
    assert "scale_down_seconds" in quiet[-1].why or "tolerance" in quiet[-1].why
    later = list(fleet.steady(400, running=100, service=8))
    needed = ceil(100 / SETTINGS.utilisation / 4)
    assert later[-1].needed_workers == needed
    assert needed <= later[-1].wanted_workers < needed * 1.15
    numbers = [decision.wanted_workers for decision in later]
    assert numbers == sorted(numbers, reverse=True)


def test_it_does_not_shrink_before_it_has_looked_long_enough() -> None:
    """After a pause of the fleet process, and in front of workers that it did not ask for."""
    fleet = DecidedFleet()
    before = list(fleet.steady(400, running=400, service=8))[-1].wanted_workers
    assert fleet.look(GAP_SECONDS + 1, running=4).wanted_workers == before
    assert DecidedFleet().look(live_workers=17).wanted_workers == 17
    fresh = DecidedFleet()
    wanted = [fresh.look(live_workers=17).wanted_workers for _ in range(70)]
    assert wanted[0] == 17
    assert wanted[-1] == 0


def test_a_small_change_of_a_large_fleet_is_noise() -> None:
    fleet = DecidedFleet()
    before = list(fleet.steady(400, running=400, service=8))[-1].wanted_workers
    for running in (410, 390, 380, 405):
        assert {decision.wanted_workers for decision in fleet.steady(400, running, 8)} == {before}


def test_a_counter_that_begins_anew_measures_nothing() -> None:
    fleet = DecidedFleet()
    list(fleet.steady(400, running=40, service=8))
    decision = fleet.look(started=0, running=40)
    assert not decision.service_measured
    assert decision.load_pages == 40


def test_a_clock_that_goes_back_is_a_gap() -> None:
    fleet = DecidedFleet()
    before = list(fleet.steady(400, running=40, service=8))[-1].wanted_workers
    assert fleet.look(-1000).wanted_workers >= before


LOADS = st.builds(
    Load,
    at=st.just(1e9),
    waiting=st.integers(0, 10**6),
    running=st.integers(0, 10**5),
    started=st.integers(0, 10**9),
    other_work=st.booleans(),
    live_workers=st.integers(0, 2000),
    pages_per_worker=st.integers(1, 64).map(float),
)
OPTIONS = st.builds(
    ScalingSettings,
    min_workers=st.integers(0, 10),
    max_workers=st.integers(10, 100_000),
    target_age_seconds=st.floats(1, 3600),
    worker_start_seconds=st.floats(1, 600),
    utilisation=st.floats(0.1, 1),
    service_seconds=st.floats(0.1, 3600),
)


@given(LOADS, OPTIONS)
def test_never_below_what_the_target_needs_if_max_allows(load: Load, settings: ScalingSettings) -> None:
    decision, _ = decide(load, [], settings)
    assert settings.min_workers <= decision.wanted_workers <= settings.max_workers
    busy = load.waiting or load.running or load.other_work
    if decision.wanted_workers == 0:
        assert not busy
    if decision.wanted_workers < settings.max_workers:
        pages = decision.wanted_workers * load.pages_per_worker
        assert pages + 0.01 >= load.running, "what runs keeps its pages"
        # Jobs that the other pages start in D seconds, and the queue that is none.
        service = settings.service_seconds
        starts = (pages - load.running) * max(1.0, drain_seconds(settings) / service)
        tolerated = load.running / service * TOLERATED_SHARE * settings.target_age_seconds
        assert starts + tolerated >= load.waiting * (1 - 1e-6)


@given(running=st.integers(0, 20_000), service=st.floats(1, 300), pages=st.integers(1, 32))
def test_a_constant_load_never_moves_the_number(running: int, service: float, pages: int) -> None:
    fleet = DecidedFleet(ScalingSettings(max_workers=100_000))
    fleet.load = replace(IDLE, pages_per_worker=pages)
    wanted = [decision.wanted_workers for decision in fleet.steady(900, running, service)]
    assert len(set(wanted)) == 1
    assert wanted[0] * pages >= running
    assert (wanted[0] == 0) == (running == 0)


@given(st.lists(st.tuples(st.integers(0, 500), st.integers(0, 100)), min_size=1, max_size=50))
def test_two_processes_with_the_same_samples_decide_the_same(loads: list[tuple[int, int]]) -> None:
    first, second = DecidedFleet(), DecidedFleet()
    for waiting, running in loads:
        assert first.look(waiting=waiting, running=running) == second.look(waiting=waiting, running=running)
    assert first.history == second.history


@given(st.lists(st.tuples(st.integers(0, 10**15), st.floats(0, 1e15)), min_size=1, max_size=5), LOADS)
def test_samples_of_others_never_end_the_process(written: list[tuple[int, float]], load: Load) -> None:
    """Redis holds the samples: a count may be smaller than the one before."""
    _, sample = decide(load, [], SETTINGS)
    last = [
        replace(sample, at=load.at - 10 + number, since=load.at - 10, ended=ended, held_seconds=held)
        for number, (ended, held) in enumerate(written)
    ]
    assert decide(load, last, SETTINGS)[0].service_seconds > 0
