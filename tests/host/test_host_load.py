"""The load of a host and of its cgroups, read from made-up files, and from this host's own."""

import os
import resource
from collections.abc import Mapping
from pathlib import Path

import pytest

from pageworker_supervisor.host.host_load import LoadReader, threads_of
from pageworker_supervisor.host.load_level import LoadName

MEMINFO = "MemTotal: 1000 kB\nMemFree: 1 kB\nMemAvailable: 600 kB\nHugePages_Total: 0\n"
HOST = {
    "proc/meminfo": MEMINFO,
    "proc/self/cgroup": "0::/\n",
    "proc/loadavg": "1.0 1.0 1.0 3/200 4711\n",
    "proc/sys/kernel/threads-max": "4000\n",
    "proc/sys/kernel/pid_max": "1000\n",
    "proc/sys/fs/file-nr": "50 0 1000\n",
    "proc/pressure/memory": "some avg10=12.50 avg60=0.00 avg300=0.00 total=1\nfull avg10=9.00 avg60=0 total=1\n",
    "proc/pressure/cpu": "some avg10=99.00 avg60=0.00 avg300=0.00 total=1\n",
    "proc/self/fd/0": "",
}
NO_LIMIT = "9223372036854771712"
V2 = {
    "proc/self/cgroup": "0::/a/supervisor\n",
    "cg/a/supervisor/memory.max": "max\n",
    "cg/a/supervisor/pids.max": "max\n",
    "cg/a/memory.max": "1000\n",
    "cg/a/memory.current": "900\n",
    "cg/a/memory.stat": "anon 5\nactive_file 100\ninactive_file 250\nshmem 30\n",
    "cg/a/pids.max": "200\n",
    "cg/a/pids.current": "150\n",
}
V1 = {
    "proc/self/cgroup": "8:pids:/x\n4:memory:/x/y\n0::/\n",
    "cg/memory/x/memory.limit_in_bytes": "1000",
    "cg/memory/x/memory.usage_in_bytes": "950",
    "cg/memory/x/memory.stat": "inactive_file 1\ntotal_active_file 100\ntotal_inactive_file 50\n",
    "cg/memory/x/y/memory.limit_in_bytes": NO_LIMIT,
    "cg/memory/x/y/memory.usage_in_bytes": "950",
    "cg/pids/x/pids.max": "100",
    "cg/pids/x/pids.current": "90",
}


def load(folder: Path, files: Mapping[str, str], sandboxes: str | None = None) -> Mapping[LoadName, float]:
    for name, text in {**HOST, **files}.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return LoadReader(None if sandboxes is None else folder / sandboxes, folder / "cg", folder / "proc").read()


@pytest.mark.parametrize(
    ("files", "memory", "processes"),
    [({}, 40.0, 20.0), (V2, 55.0, 75.0), (V1, 80.0, 90.0)],
    ids=["no cgroup", "version 2", "version 1"],
)
def test_what_is_closest_to_its_limit_counts(
    tmp_path: Path, files: Mapping[str, str], memory: float, processes: float
) -> None:
    found = load(tmp_path, files)
    assert found["memory"] == memory
    assert found["processes"] == pytest.approx(processes)


def test_a_cgroup_with_more_free_memory_than_the_host_does_not_count(tmp_path: Path) -> None:
    assert load(tmp_path, {**V2, "cg/a/memory.current": "500\n"})["memory"] == 40.0


def test_pressure_is_that_of_the_cgroup_above_the_sandboxes_or_of_the_host(tmp_path: Path) -> None:
    found = load(tmp_path, {}, "cg/a/pageworker.1")
    assert (found["memory_pressure"], found["cpu_pressure"]) == (12.5, 99.0)
    (tmp_path / "cg/a").mkdir(parents=True)
    (tmp_path / "cg/a/memory.pressure").write_text("some avg10=3.25 avg60=0 avg300=0 total=1\n")
    found = load(tmp_path, {}, "cg/a/pageworker.1")
    assert (found["memory_pressure"], found["cpu_pressure"]) == (3.25, 99.0)


def test_what_cannot_be_read_is_missing(tmp_path: Path) -> None:
    broken = {"proc/pressure/memory": "", "proc/pressure/cpu": "none", "proc/meminfo": "MemTotal: 1 kB\n"}
    found = load(tmp_path, {**broken, "proc/loadavg": "?"})
    assert set(found) == {"descriptors"}


def test_descriptors_of_this_process_and_of_the_host(tmp_path: Path) -> None:
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    assert load(tmp_path, {})["descriptors"] == 5.0
    assert load(tmp_path, {"proc/sys/fs/file-nr": "0 0 1000\n"})["descriptors"] == 100 / soft


def test_without_a_free_descriptor_all_are_used() -> None:
    reader, before = LoadReader(), resource.getrlimit(resource.RLIMIT_NOFILE)
    taken = [os.open(os.devnull, os.O_RDONLY)]
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (taken[0] + 8, before[1]))
        with pytest.raises(OSError, match="Too many open files"):
            while True:
                taken.append(os.open(os.devnull, os.O_RDONLY))
        assert reader.read()["descriptors"] == 100.0
        assert LoadReader().read()["descriptors"] == 100.0
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)
        for descriptor in taken:
            os.close(descriptor)


def test_threads_of_a_user_are_counted(tmp_path: Path) -> None:
    status = "5 (a ) b) S " + " ".join(str(field) for field in range(4, 20)) + " 7 0 0\n"
    for name, text in {"5/stat": status, "6/stat": status, "sys/stat": status, "7/other": ""}.items():
        (tmp_path / name).parent.mkdir(parents=True)
        (tmp_path / name).write_text(text)
    assert threads_of(os.getuid(), tmp_path) == 14
    assert threads_of(os.getuid() + 1, tmp_path) == 0


def test_this_host_can_be_read() -> None:
    found = LoadReader().read()
    assert {"memory", "processes", "descriptors"} <= set(found)
    assert all(0 <= percent <= 100 for percent in found.values())
    assert threads_of(os.getuid()) >= 1
