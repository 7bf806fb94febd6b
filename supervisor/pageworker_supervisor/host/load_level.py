"""How far a worker is closed by the load of its host. Pure: marks and measured values in, levels out.

Each load has a level of its own, and the highest one counts. Each level has two marks, one to begin and a lower one to
end, so that a value that wavers around a mark changes nothing: see `next_level`.
"""

from collections.abc import Mapping
from enum import IntEnum
from typing import Literal, get_args

from pageworker_supervisor.config.admission_settings import AdmissionSettings

LoadName = Literal["memory", "memory_pressure", "cpu_pressure", "processes", "descriptors"]
LOAD_NAMES: tuple[LoadName, ...] = get_args(LoadName)
HostLoad = Mapping[LoadName, float]
"""Percent by load. One that is not known now is missing."""

WORDS: Mapping[LoadName, str] = {
    "memory": "of the memory is in use",
    "memory_pressure": "of the time processes wait for memory",
    "cpu_pressure": "of the time processes wait for a CPU",
    "processes": "of the processes and threads that are permitted exist",
    "descriptors": "of the file descriptors are open",
}


class LoadLevel(IntEnum):
    """What a worker claims. A higher level claims less."""

    OPEN = 0
    NO_NEW_RUNNERS = 1
    """Jobs for free pages of runners that are up."""
    NO_JOBS = 2


Levels = Mapping[LoadName, LoadLevel]
ALL_OPEN: Levels = dict.fromkeys(LOAD_NAMES, LoadLevel.OPEN)


def next_level(level: LoadLevel, percent: float, marks: tuple[float, ...]) -> LoadLevel:
    """The level that follows `level` at this load.

    `marks`: where jobs for new runners are claimed again, where they are not claimed, where no jobs are claimed. The
    second one is also where jobs for runners that are up are claimed again. Without marks it is always OPEN.
    """
    if not marks:
        return LoadLevel.OPEN
    go_on, new_runners, jobs = marks
    if percent >= jobs:
        return LoadLevel.NO_JOBS
    if percent >= new_runners:
        return max(level, LoadLevel.NO_NEW_RUNNERS)
    if percent >= go_on:
        return min(level, LoadLevel.NO_NEW_RUNNERS)
    return LoadLevel.OPEN


def marks_of(settings: AdmissionSettings, name: LoadName) -> tuple[float, ...]:
    """The marks of one load."""
    marks: Mapping[LoadName, tuple[float, ...]] = {
        "memory": settings.memory_percent,
        "memory_pressure": settings.memory_pressure_percent,
        "cpu_pressure": settings.cpu_pressure_percent,
        "processes": settings.processes_percent,
        "descriptors": settings.descriptors_percent,
    }
    return marks[name]


def next_levels(levels: Levels, load: HostLoad, settings: AdmissionSettings) -> Levels:
    """The levels that follow. A load that is not known closes nothing: what cannot be read is no reason to stand still
    for ever."""
    return {
        name: next_level(levels[name], load[name], marks_of(settings, name)) if name in load else LoadLevel.OPEN
        for name in LOAD_NAMES
    }


def level_of(levels: Levels) -> LoadLevel:
    """The highest one."""
    return max(levels.values())


def reason_of(levels: Levels, load: HostLoad, settings: AdmissionSettings) -> str:
    """Why the worker claims less, for operators; "" while it is open."""
    level = level_of(levels)
    if level is LoadLevel.OPEN:
        return ""
    what = "no jobs" if level is LoadLevel.NO_JOBS else "no jobs that need a new runner"
    end = 1 if level is LoadLevel.NO_JOBS else 0
    whys = [
        f"{load[name]:.0f} % {WORDS[name]} (until below {marks_of(settings, name)[end]:g} %: admission.{name}_percent)"
        for name in LOAD_NAMES
        if levels[name] is level
    ]
    return f"claims {what}: {'; '.join(whys)}"
