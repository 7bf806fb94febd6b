"""Why a file is not stored, or a job does not get it. No message holds a path of the host or a password."""

from typing import Literal

FileFailure = Literal["file_unknown", "file_hash_mismatch", "file_too_large", "file_not_allowed", "file_unavailable"]


class FileError(Exception):
    """A job does not get one of its files. The producer is to blame, unless it is `file_unavailable`."""

    def __init__(self, type_: FileFailure, message: str, file: str = "") -> None:
        super().__init__(message)
        self.type: FileFailure = type_
        self.file = file
        """Its name in the job."""

    @property
    def retryable(self) -> bool:
        """Whether another try may succeed."""
        return self.type == "file_unavailable"

    @property
    def detail(self) -> dict[str, str]:
        """For the error of the result."""
        return {"file": self.file}

    def of(self, file: str) -> "FileError":
        """The same, about the file of this name."""
        return FileError(self.type, f"file {file}: {self}", file)


class FilesCrowded(Exception):
    """The files of other jobs take all memory that the worker has for them. The job waits. The message says so."""


class FileStoreAway(Exception):
    """The store cannot be read or written now. The message holds no URL and no path."""


class FileMissing(Exception):
    """The store has no such file, or it has expired."""
