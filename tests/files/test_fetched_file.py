"""A file in memory is closed once."""

import os

import pytest

from pageworker_sandbox.memfd import seal
from pageworker_supervisor.files.fetched_file import FetchedFile


def test_a_second_close_closes_nothing_else() -> None:
    file = FetchedFile("a", "text/plain", "0" * 64, 1, seal(b"x", "a"))
    number = file.descriptor
    file.close()
    other = os.open("/dev/null", os.O_RDONLY)
    try:
        assert other == number
        file.close()
        assert os.fstat(other)
    finally:
        os.close(other)
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(number)
