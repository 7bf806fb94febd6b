"""Which process of a worker uses memory and processor time: where to look when a soak fails."""

import os
from contextlib import suppress
from pathlib import Path

from bench.process_tree import PSS

TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")
KINDS = (
    ("pageworker_runner", "runner"),
    ("run-driver", "driver"),
    ("pageworker_sandbox.egress", "gateway"),
    ("pageworker_sandbox.dialer", "dialer"),
    ("--type=renderer", "renderers"),
    ("--type=gpu-process", "gpu"),
    ("NetworkService", "network"),
    ("--type=zygote", "zygotes"),
    ("--user-data-dir", "browser"),
)
"""A part of the command line, and what the process is. The first one counts."""


def kind_of(command_line: str) -> str:
    """What a process below the worker is."""
    program = command_line.partition(" ")[0]
    if program.endswith("bwrap"):
        return "bwrap"
    return next((kind for part, kind in KINDS if part in command_line), "other")


def usage(root: int, below: dict[int, str]) -> dict[str, tuple[float, float]]:
    """MiB (proportional) and processor seconds by kind. `below`: command lines by process id."""
    found: dict[str, tuple[float, float]] = {}
    for pid, line in {root: "", **below}.items():
        kind = "supervisor" if pid == root else kind_of(line)
        # A process may end meanwhile.
        with suppress(OSError):
            pss = PSS.search(Path(f"/proc/{pid}/smaps_rollup").read_text())
            times = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11:13]
            mib, seconds = found.get(kind, (0.0, 0.0))
            found[kind] = (
                mib + (int(pss[1]) / 1024 if pss else 0),
                seconds + sum(map(int, times)) / TICKS_PER_SECOND,
            )
    return found
