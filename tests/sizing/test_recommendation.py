"""From a measurement to runners and pages."""

from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pageworker_supervisor.sizing.recommendation import (
    CPU_SHARE,
    GIB,
    MEMORY_SHARE,
    MIB,
    Bounds,
    Measurement,
    recommend,
)


def measured(job_seconds: float = 1.0, cpu_seconds: float = 0.4, runner: int = 400, page: int = 50) -> Measurement:
    return Measurement(
        pages=4,
        seconds=8,
        jobs=20,
        job_seconds=job_seconds,
        cpu_seconds_per_job=cpu_seconds,
        runner_bytes=runner * MIB,
        page_bytes=page * MIB,
        worker_bytes=100 * MIB,
    )


@dataclass(frozen=True)
class GivenHost:
    cpus: float
    gib: float
    runners: int = 64

    @property
    def bounds(self) -> Bounds:
        return Bounds(cpus=self.cpus, memory_bytes=int(self.gib * GIB), runners=self.runners)


@pytest.mark.parametrize(
    ("host", "runners", "pages", "limited_by"),
    [
        (GivenHost(1, 8), 2, 1, "cpu"),
        (GivenHost(2, 24), 2, 2, "cpu"),
        (GivenHost(4, 32), 2, 4, "cpu"),
        (GivenHost(8, 64), 4, 4, "cpu"),
        (GivenHost(64, 512), 32, 4, "cpu"),
        (GivenHost(0.2, 8), 1, 1, "cpu"),
        (GivenHost(16, 4), 4, 6, "memory"),
        (GivenHost(16, 2), 2, 6, "memory"),
        (GivenHost(16, 0.75), 1, 3, "memory"),
        (GivenHost(2, 0.2), 1, 1, "memory"),
        (GivenHost(16, 256, runners=3), 3, 6, "runners"),
    ],
)
def test_hosts(host: GivenHost, runners: int, pages: int, limited_by: str) -> None:
    found = recommend(measured(), host.bounds)
    assert (found.runners, found.pages, found.limited_by) == (runners, pages, limited_by)
    assert {"cpu": "The CPU", "memory": "emory", "runners": "The settings"}[limited_by] in found.reasons[-1]


def test_the_reasons_are_plain_sentences_with_the_figures() -> None:
    cpu, memory, conclusion = recommend(measured(), GivenHost(2, 24).bounds).reasons
    assert cpu == (
        "A job takes 1.00 s, and 0.40 s of CPU time: a busy page keeps 0.40 CPUs busy. 2 CPUs, used to 80%, serve"
        " 4 pages at the same time. More pages would only wait for each other."
    )
    assert memory == (
        "A runner needs 400 MiB of memory, and 50 MiB per busy page. 24.0 GiB are available. 85% of them, less 100 MiB"
        " for the worker and its gateway, are enough for 41 runners with 2 pages each."
    )
    assert conclusion == (
        "The CPU is the limit of this host. So 2 browser contexts (tenant, profile, hosts of the module) can work at"
        " the same time, each on 2 jobs."
    )


def test_a_host_that_is_too_small_is_told_so() -> None:
    assert "too little memory even for one runner" in recommend(measured(), GivenHost(2, 0.2).bounds).reasons[-1]


def test_a_page_that_waits_more_leaves_space_for_more_pages() -> None:
    quick, slow = (recommend(measured(seconds), GivenHost(4, 64).bounds) for seconds in (0.5, 4.0))
    assert slow.runners * slow.pages > quick.runners * quick.pages
    assert slow.jobs_per_second <= 4 / 0.4


@given(
    st.floats(0.05, 60),
    st.floats(0.01, 30),
    st.integers(50, 3000),
    st.integers(0, 2000),
    st.floats(0.1, 256),
    st.floats(0.01, 2048),
    st.integers(1, 64),
)
def test_what_is_recommended_fits(
    job_seconds: float, cpu_seconds: float, runner: int, page: int, cpus: float, gib: float, most: int
) -> None:
    measurement, host = measured(job_seconds, cpu_seconds, runner, page), GivenHost(cpus, gib, most)
    found = recommend(measurement, host.bounds)
    assert 1 <= found.runners <= most
    assert 1 <= found.pages <= 8
    if (found.runners, found.pages) != (1, 1):
        assert found.runners * found.pages * measurement.cpus_per_page <= cpus * CPU_SHARE + 1e-9
        bytes_needed = found.runners * (measurement.runner_bytes + found.pages * measurement.page_bytes)
        assert bytes_needed + measurement.worker_bytes <= host.bounds.memory_bytes * MEMORY_SHARE + 1
    assert found.jobs_per_second <= cpus / measurement.cpu_seconds_per_job + 0.01
