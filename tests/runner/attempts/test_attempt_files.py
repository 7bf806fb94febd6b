"""Files of attempts in the runner: each attempt has its own, and none after its end."""

import os
from collections.abc import Iterator

import pytest

from pageworker import Failed
from pageworker_runner.attempts.attempt_files import AttemptFiles, WaitingFiles
from pageworker_sandbox.memfd import create, seal
from pageworker_sandbox.wire import messages as m
from pageworker_sandbox.wire.errors import ProtocolViolation
from pageworker_sandbox.wire.file_messages import MAX_ATTEMPT_FILES


def message(name: str = "a.csv", attempt_id: str = "a", size: int = 3) -> m.InputFile:
    return m.InputFile(attempt_id=attempt_id, name=name, content_type="text/csv", sha256="0" * 64, bytes=size)


@pytest.fixture
def descriptor() -> Iterator[int]:
    """A sealed memfd with three bytes, closed by the message loop after each message."""
    sealed = seal(b"1;2", "a")
    yield sealed
    os.close(sealed)


async def test_a_file_is_what_set_input_files_takes(descriptor: int) -> None:
    files = AttemptFiles()
    files.add(message(), descriptor)
    file = files.read("a.csv")
    assert dict(file) == {"name": "a.csv", "mimeType": "text/csv", "buffer": b"1;2"} == file.payload
    assert (file.bytes, await file.read(), file.name) == (3, b"1;2", "a.csv")
    files.close()


def test_a_file_that_the_job_does_not_have_is_named() -> None:
    with pytest.raises(Failed, match=r"no file 'b'. Its files: none") as failed:
        AttemptFiles().read("b")
    assert (failed.value.type, failed.value.retryable) == ("file_missing", False)


def test_the_end_of_the_attempt_closes_its_files(descriptor: int) -> None:
    before = len(os.listdir("/proc/self/fd"))
    files = AttemptFiles()
    files.add(message(), descriptor)
    files.close()
    files.close()
    assert len(os.listdir("/proc/self/fd")) == before
    with pytest.raises(ValueError, match="has ended"):
        files.read("a.csv")


def test_files_belong_to_the_attempt_that_they_came_for(descriptor: int) -> None:
    waiting = WaitingFiles()
    waiting.add(message(attempt_id="a"), descriptor)
    waiting.add(message(attempt_id="b"), descriptor)
    with pytest.raises(Failed):
        waiting.take("a").read("a.csv")
    waiting.add(message(attempt_id="c"), descriptor)
    found = waiting.take("c")
    assert found.read("a.csv").bytes == 3
    found.close()
    with pytest.raises(Failed):
        waiting.take("c").read("a.csv")


def test_what_the_supervisor_never_sends_ends_the_runner(descriptor: int) -> None:
    files = AttemptFiles()
    open_memfd = create("a")
    for file, given in ((message(size=4), descriptor), (message(size=0), open_memfd)):
        with pytest.raises(ProtocolViolation):
            files.add(file, given)
    os.close(open_memfd)
    for number in range(MAX_ATTEMPT_FILES):
        files.add(message(str(number)), descriptor)
    for name in ("0", "one more"):
        with pytest.raises(ProtocolViolation):
            files.add(message(name), descriptor)
    files.close()
