"""The files that one runner is handed: closed here, and bounded in its life."""

import os

import pytest

from pageworker_sandbox.memfd import seal
from pageworker_supervisor.files.fetched_file import FetchedFile
from pageworker_supervisor.runners.handed_files import HandedFiles, input_file


def fetched(size: int) -> FetchedFile:
    return FetchedFile("a.pdf", "application/pdf", "0" * 64, size, seal(b"x" * size, "a"))


def test_a_runner_gets_no_more_jobs_after_many_bytes() -> None:
    handed = HandedFiles(most_bytes=10)
    assert not handed.add(())
    first = fetched(6)
    number = first.descriptor
    assert not handed.add((first,))
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(number)
    assert handed.add((fetched(4), fetched(1)))


def test_the_message_says_what_the_memfd_holds() -> None:
    file = fetched(3)
    message = input_file("a", file)
    file.close()
    assert (message.attempt_id, message.name, message.bytes, message.sha256) == ("a", "a.pdf", 3, "0" * 64)
