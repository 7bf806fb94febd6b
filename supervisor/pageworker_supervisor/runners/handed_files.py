"""The files of jobs that one runner gets, and how many bytes of them it may get in its life.

The memory of a memfd is the supervisor's, and is free once no process has it open. Hostile code of a module may keep
its descriptors. So what a runner can hold is bounded by what it was handed, and it ends with the runner.
"""

from collections.abc import Sequence

from pageworker_sandbox.wire import messages as m
from pageworker_supervisor.files.fetched_file import FetchedFile

MOST_BYTES = 512 * 1024 * 1024
"""After which a runner takes no more jobs."""


class HandedFiles:
    """What one runner was handed."""

    def __init__(self, most_bytes: int = MOST_BYTES) -> None:
        self._most_bytes = most_bytes
        self._bytes = 0

    def add(self, files: Sequence[FetchedFile]) -> bool:
        """These were sent: the supervisor needs them no more. True: the runner should get no further ones."""
        for file in files:
            self._bytes += file.bytes
            file.close()
        return self._bytes > self._most_bytes


def input_file(attempt_id: str, file: FetchedFile) -> m.InputFile:
    """The message that carries a file."""
    return m.InputFile(
        attempt_id=attempt_id, name=file.name, content_type=file.content_type, sha256=file.sha256, bytes=file.bytes
    )
