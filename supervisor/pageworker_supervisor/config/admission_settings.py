"""The section `[admission]`: at which load of its host a worker claims less."""

from typing import Annotated

from msgspec import Meta

from pageworker_supervisor.config.section import Section

MARKS = 3
Marks = Annotated[tuple[Annotated[float, Meta(gt=0, le=100)], ...], Meta(max_length=MARKS)]
"""`[go on, stop new runners, stop all jobs]` in percent, each above the one before. Empty: it is not looked at."""


class AdmissionSettings(Section, frozen=True):
    """At which load of its host the worker claims less (docs/operations.md). Each setting has three marks in percent,
    e.g. `[88, 92, 96]`. From the second one on, the worker claims no jobs that need a new runner: runners that are up
    still get jobs for their free pages. From the third one on, it claims no jobs at all. It claims jobs for runners
    again below the second mark, and jobs for new runners below the first. `[]`: this load is not looked at."""

    memory_percent: Marks = (88.0, 92.0, 96.0)
    """Memory that is in use: of the host, or of the cgroup of the worker or one above it, whichever is closer to its
    limit. Cached files do not count."""
    memory_pressure_percent: Marks = (10.0, 30.0, 60.0)
    """Share of the last 10 s in which some process waited for memory (`some avg10` of the kernel's pressure stall
    information), in the worker's cgroup or else on the host. Not looked at where the kernel does not measure it."""
    cpu_pressure_percent: Marks = ()
    """The same for CPU time. Off by default: a worker at full load keeps every CPU busy, so that 80 to 100 % are normal
    and say nothing."""
    processes_percent: Marks = (80.0, 90.0, 97.0)
    """Processes and threads: of the host, of a cgroup with `pids.max`, or of the worker's user (`ulimit -u`), whichever
    is closer to its limit."""
    descriptors_percent: Marks = (80.0, 90.0, 97.0)
    """Open file descriptors of the worker's own process (`ulimit -n`), or open files of the host."""
