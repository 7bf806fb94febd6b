"""The bounds of `[files]`."""

import msgspec
import pytest

from pageworker_sandbox.wire.file_messages import MAX_FILE_BYTES, MAX_JOB_FILES_BYTES
from pageworker_supervisor.config.file_settings import FileSettings


def test_one_job_always_fits_into_the_share_of_a_tenant() -> None:
    least = 192 * 1024 * 1024
    assert msgspec.convert({"memory_bytes": least}, FileSettings).memory_bytes // 2 >= MAX_JOB_FILES_BYTES
    for given in ({"memory_bytes": least - 1}, {"max_bytes": MAX_FILE_BYTES + 1}, {"keep_hours": 0}):
        with pytest.raises(msgspec.ValidationError):
            msgspec.convert(given, FileSettings)
