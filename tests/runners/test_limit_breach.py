"""Which measurements breach a limit, and what the breach tells: its name and both amounts."""

from pathlib import Path
from typing import Any

import pytest

from pageworker_sandbox.launch.cgroup import LimitHits
from pageworker_sandbox.launch.procfs import TmpfsUse
from pageworker_supervisor.runners.limit_breach import (
    Breach,
    kernel_breach,
    memory_breach,
    process_breach,
    tmpfs_breach,
)


def use(**given: Any) -> TmpfsUse:
    return TmpfsUse(Path("/tmp"), 1, **{"used_bytes": 0, "most_bytes": 100, "files": 1, "most_files": 10, **given})


def test_memory_is_breached_above_its_limit() -> None:
    assert memory_breach(100, 100) is None
    breach = memory_breach(101, 100)
    assert breach is not None
    assert (breach.limit, breach.detail) == ("memory_limit", {"used": 101, "allowed": 100, "unit": "bytes"})


def test_processes_are_breached_at_their_limit_as_the_kernel_lets_none_be_past_it() -> None:
    assert process_breach(97, 100) is None
    assert process_breach(98, 100) == Breach("process_limit", 98, 100, "processes")


def test_a_tmpfs_is_breached_when_it_is_full() -> None:
    assert tmpfs_breach(use(used_bytes=99, files=9)) is None
    assert tmpfs_breach(use(used_bytes=100)) == Breach("disk_limit", 100, 100, "bytes", "/tmp")
    full = tmpfs_breach(use(files=10))
    assert full is not None
    assert full.detail == {"used": 10, "allowed": 10, "unit": "files", "where": "/tmp"}
    assert full.message == "the runner went past its limit of files: 10 files in /tmp, at most 10"


@pytest.mark.parametrize(
    ("before", "now", "limit"),
    [
        (LimitHits(), LimitHits(), None),
        (LimitHits(2, 3), LimitHits(2, 3), None),
        (LimitHits(), LimitHits(memory=1), "memory_limit"),
        (LimitHits(2, 3), LimitHits(2, 4), "process_limit"),
        (LimitHits(2, 3), LimitHits(3, 4), "memory_limit"),
    ],
)
def test_what_the_kernel_enforced_since_the_last_look(before: LimitHits, now: LimitHits, limit: str | None) -> None:
    breach = kernel_breach(before, now, memory_bytes=1000, processes=50)
    assert (breach.limit if breach else None) == limit
    if breach is not None:
        assert breach.used == breach.allowed == {"memory_limit": 1000, "process_limit": 50}[breach.limit]
