"""The memory of a host and of its cgroups, read from made-up files."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from pageworker_supervisor.host.memory import host_memory_bytes

MIB = 1024**2
MEMINFO = "MemTotal:       8388608 kB\nMemFree:         102400 kB\nMemAvailable:    4194304 kB\n"
NONE = "9223372036854771712"


@pytest.mark.parametrize(
    ("cgroup", "files", "found"),
    [
        ("0::/\n", {}, 8192 * MIB),
        ("0::/a/b\n", {"cg/a/b/memory.max": "max\n", "cg/a/memory.max": f"{1024 * MIB}\n"}, 1024 * MIB),
        ("3:memory:/x\n", {"cg/memory/x/memory.limit_in_bytes": str(600 * MIB)}, 600 * MIB),
        ("3:memory:/x\n", {"cg/memory/x/memory.limit_in_bytes": NONE}, 8192 * MIB),
    ],
)
def test_the_smallest_limit_counts(tmp_path: Path, cgroup: str, files: Mapping[str, str], found: int) -> None:
    for name, text in {"proc/meminfo": MEMINFO, "proc/self/cgroup": cgroup, **files}.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    assert host_memory_bytes(tmp_path / "cg", tmp_path / "proc") == found


def test_memory_that_the_kernel_does_not_tell_is_not_known(tmp_path: Path) -> None:
    assert host_memory_bytes(tmp_path, tmp_path) is None
