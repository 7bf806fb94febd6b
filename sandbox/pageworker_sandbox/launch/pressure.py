"""How long processes waited for memory or a CPU: pressure stall information.

Source: the kernel's Documentation/accounting/psi.rst.
"""

import re
from dataclasses import dataclass
from pathlib import Path

CPU_PRESSURE = Path("/proc/pressure/cpu")
_SOME = re.compile(r"^some avg10=(\d+\.\d+) ", re.MULTILINE)
_TOTAL = re.compile(r"^(some|full) .*total=(\d+)$", re.MULTILINE)


@dataclass(frozen=True)
class MemoryStall:
    """Seconds since the cgroup was created in which processes waited for memory."""

    some_seconds: float
    """At least one of them."""
    full_seconds: float
    """All of them that had something to do."""


def parse_pressure(text: str) -> MemoryStall | None:
    """The totals in the text of a pressure file, which are microseconds. None: the text is none."""
    totals = {kind: int(total) / 1_000_000 for kind, total in _TOTAL.findall(text)}
    return MemoryStall(totals["some"], totals["full"]) if len(totals) == 2 else None


def memory_stall(folder: Path | None) -> MemoryStall | None:
    """That of a cgroup of version 2. None: there is none, or the kernel does not measure it (psi=1)."""
    if folder is None:
        return None
    try:
        return parse_pressure((folder / "memory.pressure").read_text())
    except OSError:
        return None


def some_percent(file: Path) -> float | None:
    """Share of the last ten seconds, in percent, in which some process waited. None: the kernel does not measure it."""
    try:
        found = _SOME.search(file.read_text())
    except OSError:
        return None
    return None if found is None else float(found[1])


def cpu_busy_percent(file: Path = CPU_PRESSURE) -> float | None:
    """`some_percent` of this host's processors."""
    return some_percent(file)
