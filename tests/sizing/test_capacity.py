"""CPUs and memory of a host and of its cgroups, read from made-up files."""

import os
from collections.abc import Mapping
from pathlib import Path

import pytest

from pageworker_supervisor.sizing.capacity import HostCapacity, busy_cpu_seconds, host_capacity

MIB = 1024**2
MEMINFO = "MemTotal:       8388608 kB\nMemFree:         102400 kB\nMemAvailable:    4194304 kB\n"
HOST = HostCapacity(len(os.sched_getaffinity(0)), 4096 * MIB)
NONE = "9223372036854771712"


def capacity(folder: Path, cgroup: str, files: Mapping[str, str]) -> HostCapacity:
    for name, text in {"proc/meminfo": MEMINFO, "proc/self/cgroup": cgroup, **files}.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return host_capacity(folder / "cg", folder / "proc")


V2 = {
    "cg/a/b/cpu.max": "max 100000\n",
    "cg/a/b/memory.max": "max\n",
    "cg/a/b/memory.current": "1\n",
    "cg/a/cpu.max": "50000 100000\n",
    "cg/a/memory.max": f"{1024 * MIB}\n",
    "cg/a/memory.current": f"{512 * MIB}\n",
    "cg/a/memory.stat": f"anon 5\ninactive_file {100 * MIB}\n",
}
V1 = {
    "cg/cpu,cpuacct/x/cpu.cfs_quota_us": "25000",
    "cg/cpu,cpuacct/x/cpu.cfs_period_us": "100000",
    "cg/memory/x/memory.limit_in_bytes": str(600 * MIB),
    "cg/memory/x/memory.usage_in_bytes": str(200 * MIB),
}


@pytest.mark.parametrize(
    ("cgroup", "files", "found"),
    [
        ("0::/\n", {}, HOST),
        ("0::/a/b\n", V2, HostCapacity(0.5, 612 * MIB)),
        ("0::/gone\n", {**V2, "cg/cpu.max": "max 100000"}, HOST),
        ("4:cpu,cpuacct:/x\n3:memory:/x\n0::/\n", V1, HostCapacity(0.25, 400 * MIB)),
        ("4:cpu,cpuacct:/x/y\n3:memory:/x/y\n", V1, HostCapacity(0.25, 400 * MIB)),
        ("3:memory:/x\n", {"cg/memory/x/memory.limit_in_bytes": NONE, "cg/memory/x/memory.usage_in_bytes": "1"}, HOST),
        ("4:cpu:/x\n", {"cg/cpu/x/cpu.cfs_quota_us": "-1", "cg/cpu/x/cpu.cfs_period_us": "100000"}, HOST),
        (
            "0::/u\n",
            {"cg/unified/u/memory.max": "1000", "cg/unified/u/memory.current": "4000"},
            HostCapacity(HOST.cpus, 0),
        ),
    ],
)
def test_the_smallest_limit_counts(tmp_path: Path, cgroup: str, files: dict[str, str], found: HostCapacity) -> None:
    assert capacity(tmp_path, cgroup, files) == found


def test_this_host_can_be_read() -> None:
    found = host_capacity()
    assert 0 < found.cpus <= len(os.sched_getaffinity(0))
    assert found.memory_bytes > 0


def test_idle_and_waiting_are_not_busy(tmp_path: Path) -> None:
    (tmp_path / "stat").write_text("cpu  100 20 30 100000 5000 4 6 40 0 0\ncpu0 1 2 3\n")
    assert busy_cpu_seconds(tmp_path) == 200 / os.sysconf("SC_CLK_TCK")
