"""A load that rises and falls: what the fleet is told, what is shown."""

from pageworker_supervisor.config.admission_settings import AdmissionSettings
from pageworker_supervisor.config.live import Live
from pageworker_supervisor.host.load_level import LOAD_NAMES, HostLoad, LoadLevel
from pageworker_supervisor.runners.load_watch import LoadWatch
from pageworker_supervisor.telemetry.metrics import Metrics

NAME = "pageworker_admission_closed"
MARKS = AdmissionSettings(memory_percent=(80, 90, 97), descriptors_percent=(80, 90, 97))


class LoadedHost:
    """A host with this load, and what the fleet was told."""

    def __init__(self, settings: AdmissionSettings = MARKS) -> None:
        self.load: HostLoad = {"memory": 10.0, "descriptors": 10.0}
        self.told: list[LoadLevel] = []
        self.metrics = Metrics()
        self.settings = Live(settings)
        self.watch = LoadWatch(self.settings, lambda: self.load, self.told.append, self.metrics.health)

    def look(self, **load: float) -> LoadLevel:
        self.load = {**self.load, **load}  # type: ignore[dict-item]  # mypy does not know the names of keywords
        self.watch.look()
        return self.watch.level

    def shown(self, name: str) -> float | None:
        return self.metrics.registry.get_sample_value(NAME, {"reason": name})


def test_the_fleet_is_told_of_each_change_once() -> None:
    host = LoadedHost()
    for percent in (10, 89, 91, 85, 98, 95, 85, 79, 79):
        host.look(memory=percent)
    assert host.told == [
        LoadLevel.NO_NEW_RUNNERS,
        LoadLevel.NO_JOBS,
        LoadLevel.NO_NEW_RUNNERS,
        LoadLevel.OPEN,
    ]


def test_a_second_load_changes_the_reason_and_not_the_level() -> None:
    host = LoadedHost()
    host.look(memory=91)
    assert host.look(descriptors=91) is LoadLevel.NO_NEW_RUNNERS
    assert "admission.descriptors_percent" in host.watch.reason
    assert host.told == [LoadLevel.NO_NEW_RUNNERS]
    host.look(memory=10)
    assert "admission.memory_percent" not in host.watch.reason
    assert host.watch.takes_jobs


def test_every_load_has_its_level_as_a_metric_from_the_start() -> None:
    host = LoadedHost()
    assert {host.shown(name) for name in LOAD_NAMES} == {0}
    host.look(memory=91, descriptors=99)
    assert (host.shown("memory"), host.shown("descriptors"), host.shown("processes")) == (1, 2, 0)
    assert not host.watch.takes_jobs
    host.look(memory=1, descriptors=1)
    assert (host.shown("memory"), host.watch.reason) == (0, "")


def test_other_marks_count_at_once() -> None:
    host = LoadedHost()
    host.look(memory=50)
    host.settings.replace(AdmissionSettings(memory_percent=(10, 20, 30)))
    assert host.told == [LoadLevel.NO_JOBS]
    host.settings.replace(AdmissionSettings(memory_percent=()))
    assert host.told[-1] is LoadLevel.OPEN


def test_the_reason_keeps_its_numbers_until_a_level_or_a_mark_changes() -> None:
    host = LoadedHost()
    host.look(memory=91)
    first = host.watch.reason
    host.look(memory=93)
    assert (host.watch.reason, host.watch.load["memory"]) == (first, 93)
    host.settings.replace(AdmissionSettings(memory_percent=(81, 90, 97)))
    assert "93 % of the memory is in use (until below 81 %" in host.watch.reason
    host.look(memory=98)
    assert host.watch.reason.startswith("claims no jobs: 98 %")
