"""The files of one attempt's job: sealed memfds, open until the attempt ends."""

import os

from pageworker import Failed, JobFile
from pageworker_sandbox.memfd import NotSealed, read_sealed, sealed_bytes
from pageworker_sandbox.wire import messages as m
from pageworker_sandbox.wire.errors import ProtocolViolation
from pageworker_sandbox.wire.file_messages import MAX_ATTEMPT_FILES, MAX_FILE_BYTES

ENDED = "The attempt has ended: a file of the job can be read only while its handler runs."


class AttemptFiles:
    """The files by name. No other attempt has them."""

    def __init__(self) -> None:
        self._files: dict[str, tuple[m.InputFile, int]] = {}
        self._closed = False

    def add(self, file: m.InputFile, descriptor: int) -> None:
        """Keep a copy of a descriptor. Raises ProtocolViolation, OSError."""
        if file.name in self._files or len(self._files) >= MAX_ATTEMPT_FILES:
            raise ProtocolViolation("a file with the name of another, or too many files of one attempt")
        try:
            size = sealed_bytes(descriptor, MAX_FILE_BYTES)
        except NotSealed as error:
            raise ProtocolViolation(f"a file whose memfd is not sealed: {error}") from error
        if size != file.bytes:
            raise ProtocolViolation(f"a file of {size} bytes that was announced with {file.bytes}")
        self._files[file.name] = (file, os.dup(descriptor))

    def read(self, name: str) -> JobFile:
        """See pageworker.Sink. Raises Failed (`file_missing`), ValueError."""
        if self._closed:
            raise ValueError(ENDED)
        if name not in self._files:
            known = ", ".join(self._files) or "none"
            text = f"The job has no file {name!r}. Its files: {known}. A producer names them in the job's `files`."
            raise Failed(text, type="file_missing", detail={"file": name, "files": list(self._files)})
        file, descriptor = self._files[name]
        return JobFile(file.name, file.content_type, file.sha256, read_sealed(descriptor, MAX_FILE_BYTES))

    def close(self) -> None:
        """The attempt has ended. May be called again."""
        self._closed = True
        for _, descriptor in self._files.values():
            os.close(descriptor)
        self._files.clear()


class WaitingFiles:
    """Files that came before the Run of their attempt. One attempt at a time is sent."""

    def __init__(self) -> None:
        self._attempt_id = ""
        self._files = AttemptFiles()

    def add(self, file: m.InputFile, descriptor: int) -> None:
        """Keep a file until the Run comes. Raises ProtocolViolation, OSError."""
        if file.attempt_id != self._attempt_id:
            self._files.close()
            self._attempt_id, self._files = file.attempt_id, AttemptFiles()
        self._files.add(file, descriptor)

    def take(self, attempt_id: str) -> AttemptFiles:
        """The files of the attempt that starts."""
        files, self._files = self._files, AttemptFiles()
        if self._attempt_id != attempt_id:
            files.close()
            files = AttemptFiles()
        self._attempt_id = ""
        return files
