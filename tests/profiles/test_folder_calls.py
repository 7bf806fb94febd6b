"""A folder worker that cannot start is a failure that passes, and ends no task that waits for it."""

import os
import resource
from pathlib import Path

import pytest

from pageworker_profiles.errors import FolderWorkerFailed
from pageworker_profiles.folder_calls import walk


async def test_a_process_without_descriptors_is_told_so(tmp_path: Path) -> None:
    await walk("measure", tmp_path, 10, 10**6)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (len(os.listdir("/proc/self/fd")), hard))
        with pytest.raises(FolderWorkerFailed, match="does not start: Too many open files") as caught:
            await walk("measure", tmp_path, 10, 10**6)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert caught.value.retryable
