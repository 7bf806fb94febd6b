"""How many runners and pages a host can keep busy, from what was measured on one runner. Pure."""

from msgspec import Struct

CPU_SHARE = 0.8
"""Of the CPUs. The rest is for bursts: pages above it wait for each other, and jobs run into their time limits."""
MEMORY_SHARE = 0.85
"""Of the memory. The rest is for pages that are larger than the measured one."""
PAGES = (4, 3, 2, 6, 8, 1)
"""Pages per runner, the best first. More pages cost less memory than more runners; but a runner's pages belong to one
browser context, and all of them are lost with it."""
GOOD_ENOUGH = 0.75
"""A better number of pages per runner is chosen if it keeps this part of the host busy."""
LEAST_RUNNERS = 2
"""So that one browser context does not keep all others waiting."""
GIB = 1024**3
MIB = 1024**2


class Measurement(Struct, frozen=True, kw_only=True):
    """What one runner used. `cpu` values are CPU seconds, of the runner, the gateway and the worker together."""

    pages: int
    """Of the runner."""
    seconds: float
    """How long each of the two parts took."""
    jobs: int
    """With all pages busy."""
    job_seconds: float
    """From a job's start to its end, with one busy page."""
    cpu_seconds_per_job: float
    runner_bytes: int
    """Without busy pages."""
    page_bytes: int
    """Of one busy page more."""
    worker_bytes: int
    """Worker and gateway."""
    other_cpus: float = 0.0
    """CPUs that other programs of the host kept busy meanwhile: they make jobs slower, and a page seem cheaper."""

    @property
    def cpus_per_page(self) -> float:
        """CPUs that one busy page keeps busy."""
        return self.cpu_seconds_per_job / self.job_seconds


class Bounds(Struct, frozen=True, kw_only=True):
    """What there is to use. `runners`: at most, by the settings of user ids and the range of `pool.runners`."""

    cpus: float
    memory_bytes: int
    runners: int = 64


class Recommendation(Struct, frozen=True, kw_only=True):
    """Values for `pool.runners` and `pool.pages`, and the way to them."""

    runners: int
    pages: int
    limited_by: str
    """`cpu`, `memory` or `runners`."""
    pages_by_cpu: int
    """Pages that may be busy at the same time."""
    runners_by_memory: int
    """With `pages` pages each."""
    jobs_per_second: float
    """Of jobs like the measured one, at most."""
    reasons: tuple[str, ...]


def recommend(measured: Measurement, bounds: Bounds) -> Recommendation:
    """The recommendation for a worker that has this much for itself. At least one runner with one page."""
    by_cpu = max(1, int(bounds.cpus * CPU_SHARE / measured.cpus_per_page))
    usable = bounds.memory_bytes * MEMORY_SHARE - measured.worker_bytes

    def runners_by_memory(pages: int) -> int:
        return int(max(0.0, usable) / (measured.runner_bytes + pages * measured.page_bytes))

    def runners_of(pages: int) -> int:
        return min(bounds.runners, by_cpu // pages, runners_by_memory(pages))

    most = max(runners_of(pages) * pages for pages in PAGES)
    good = [pages for pages in PAGES if runners_of(pages) * pages >= GOOD_ENOUGH * most and runners_of(pages)]
    several = [pages for pages in good if runners_of(pages) >= LEAST_RUNNERS]
    pages = next(iter(several or good), 1)
    runners = max(1, runners_of(pages))
    limits = {"cpu": by_cpu // pages, "memory": runners_by_memory(pages), "runners": bounds.runners}
    limited_by = min(limits, key=lambda name: limits[name])
    per_second = min(runners * pages / measured.job_seconds, bounds.cpus / measured.cpu_seconds_per_job)
    return Recommendation(
        runners=runners,
        pages=pages,
        limited_by=limited_by,
        pages_by_cpu=by_cpu,
        runners_by_memory=limits["memory"],
        jobs_per_second=round(per_second, 2),
        reasons=(
            _by_cpu(measured, bounds.cpus, by_cpu),
            _by_memory(measured, bounds.memory_bytes, limits["memory"], pages),
            _conclusion(limited_by, bounds, limits["memory"], runners, pages),
        ),
    )


def _by_cpu(measured: Measurement, cpus: float, pages: int) -> str:
    return (
        f"A job takes {measured.job_seconds:.2f} s, and {measured.cpu_seconds_per_job:.2f} s of CPU time: a busy page"
        f" keeps {measured.cpus_per_page:.2f} CPUs busy. {_count(cpus, 'CPU')}, used to {CPU_SHARE:.0%}, serve"
        f" {_count(pages, 'page')} at the same time. More pages would only wait for each other."
    )


def _by_memory(measured: Measurement, available_bytes: int, runners: int, pages: int) -> str:
    return (
        f"A runner needs {_size(measured.runner_bytes)} of memory, and {_size(measured.page_bytes)} per busy page."
        f" {_size(available_bytes)} are available. {MEMORY_SHARE:.0%} of them, less {_size(measured.worker_bytes)} for"
        f" the worker and its gateway, are enough for {_count(runners, 'runner')} with {_count(pages, 'page')} each."
    )


def _conclusion(limited_by: str, bounds: Bounds, by_memory: int, runners: int, pages: int) -> str:
    limit = {
        "cpu": "The CPU is the limit of this host.",
        "memory": "Memory is the limit of this host.",
        "runners": f"The settings permit {_count(bounds.runners, 'runner')} at most (`sandbox.uids`).",
    }[limited_by]
    if by_memory == 0:
        limit = "This host has too little memory even for one runner: add memory, or expect `memory_limit`."
    return (
        f"{limit} So {_count(runners, 'browser context')} (tenant, profile, hosts of the module) can work at the same"
        f" time, each on {_count(pages, 'job')}."
    )


def _count(number: float, noun: str) -> str:
    return f"{number:g} {noun}" if number == 1 else f"{number:g} {noun}s"


def _size(size_bytes: int) -> str:
    return f"{size_bytes / GIB:.1f} GiB" if size_bytes >= GIB else f"{size_bytes / MIB:.0f} MiB"
