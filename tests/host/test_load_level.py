"""How far a load closes a worker: each mark, and no flapping."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pageworker_supervisor.config.admission_settings import AdmissionSettings
from pageworker_supervisor.host.load_level import (
    ALL_OPEN,
    LOAD_NAMES,
    LoadLevel,
    LoadName,
    level_of,
    marks_of,
    next_level,
    next_levels,
    reason_of,
)

MARKS = (80.0, 90.0, 97.0)
OPEN, NO_NEW, NONE = LoadLevel.OPEN, LoadLevel.NO_NEW_RUNNERS, LoadLevel.NO_JOBS


@pytest.mark.parametrize(
    ("percent", "after"),
    [
        (0, (OPEN, OPEN, OPEN)),
        (79.9, (OPEN, OPEN, OPEN)),
        (80, (OPEN, NO_NEW, NO_NEW)),
        (89.9, (OPEN, NO_NEW, NO_NEW)),
        (90, (NO_NEW, NO_NEW, NONE)),
        (96.9, (NO_NEW, NO_NEW, NONE)),
        (97, (NONE, NONE, NONE)),
        (1000, (NONE, NONE, NONE)),
    ],
)
def test_each_mark_begins_and_ends_a_level(percent: float, after: tuple[LoadLevel, ...]) -> None:
    assert tuple(next_level(before, percent, MARKS) for before in LoadLevel) == after


@pytest.mark.parametrize("before", LoadLevel)
def test_without_marks_a_load_closes_nothing(before: LoadLevel) -> None:
    assert next_level(before, 100, ()) is OPEN


@given(
    marks=st.lists(st.integers(1, 100), min_size=3, max_size=3, unique=True).map(sorted),
    start=st.sampled_from(LoadLevel),
    low=st.floats(0, 100),
    parts=st.lists(st.floats(0, 1, exclude_max=True), max_size=40),
)
def test_a_load_that_wavers_by_less_than_the_marks_differ_never_flaps(
    marks: list[int], start: LoadLevel, low: float, parts: list[float]
) -> None:
    # Half the distance: a sum of floats may round up to the next mark.
    width = min(marks[1] - marks[0], marks[2] - marks[1]) / 2
    levels = [start]
    for part in parts:
        levels.append(next_level(levels[-1], low + part * width, (marks[0], marks[1], marks[2])))
    assert levels in (sorted(levels), sorted(levels, reverse=True)), "it goes one way, and stays there"


@given(before=st.sampled_from(LoadLevel), lower=st.floats(0, 200), more=st.floats(0, 200))
def test_a_higher_load_never_opens(before: LoadLevel, lower: float, more: float) -> None:
    assert next_level(before, lower + more, MARKS) >= next_level(before, lower, MARKS)


SETTINGS: dict[LoadName, AdmissionSettings] = {
    "memory": AdmissionSettings(memory_percent=MARKS),
    "memory_pressure": AdmissionSettings(memory_pressure_percent=MARKS),
    "cpu_pressure": AdmissionSettings(cpu_pressure_percent=MARKS),
    "processes": AdmissionSettings(processes_percent=MARKS),
    "descriptors": AdmissionSettings(descriptors_percent=MARKS),
}


@pytest.mark.parametrize("name", LOAD_NAMES)
def test_each_load_closes_by_its_own_marks(name: LoadName) -> None:
    settings = SETTINGS[name]
    assert marks_of(settings, name) == MARKS
    levels = next_levels(ALL_OPEN, {name: 98}, settings)
    assert {other for other in LOAD_NAMES if levels[other] is not OPEN} == {name}
    assert level_of(levels) is NONE
    assert next_levels(levels, {}, settings) == ALL_OPEN, "a load that cannot be read any more closes nothing"


def test_the_highest_level_counts_and_its_reasons_are_named() -> None:
    settings = AdmissionSettings(memory_percent=MARKS, processes_percent=MARKS)
    load = {"memory": 92.4, "processes": 98.0, "descriptors": 1.0}
    levels = next_levels(ALL_OPEN, {"memory": 92.4}, settings)
    assert reason_of(levels, {"memory": 92.4}, settings) == (
        "claims no jobs that need a new runner: 92 % of the memory is in use (until below 80 %: "
        "admission.memory_percent)"
    )
    levels = next_levels(levels, {"memory": load["memory"], "processes": load["processes"]}, settings)
    assert (level_of(levels), levels["memory"]) == (NONE, NO_NEW)
    assert reason_of(levels, {"processes": 98.0}, settings) == (
        "claims no jobs: 98 % of the processes and threads that are permitted exist (until below 90 %: "
        "admission.processes_percent)"
    )
    assert reason_of(ALL_OPEN, {}, settings) == ""


def test_a_healthy_host_at_full_cpu_load_is_open_by_default() -> None:
    load: dict[LoadName, float] = {"memory": 80, "memory_pressure": 5, "cpu_pressure": 100, "processes": 30}
    assert next_levels(ALL_OPEN, load, AdmissionSettings()) == ALL_OPEN
