"""Reads a secret from a file, and reads it again when the file changes."""

import os
import stat
from pathlib import Path

from msgspec import Struct

from pageworker_sandbox.wire.messages import MAX_SECRET_CHARS
from pageworker_supervisor.secrets.errors import SecretMissing, SecretUnavailable

Stamp = tuple[int, int, int]
MAX_FILE_BYTES = 4 * MAX_SECRET_CHARS
FOREIGN_WRITERS = stat.S_IWGRP | stat.S_IWOTH
FOREIGN_READERS = FOREIGN_WRITERS | stat.S_IRGRP | stat.S_IROTH


class ReadFile(Struct, frozen=True):
    """The content of a file without surrounding white space, and when it was changed."""

    data: bytes
    version: str


class SecretFiles:
    """Files by path. A file is read again when its inode, size or modification time has changed."""

    def __init__(self) -> None:
        self._known: dict[Path, tuple[Stamp, ReadFile]] = {}

    def read(self, path: Path, forbidden_mode: int = 0, shown: str = "") -> ReadFile:
        """The file's content. `forbidden_mode`: bits that the file's mode must not have. `shown`: its name in errors.

        Raises SecretMissing if there is no such file, SecretUnavailable if it cannot be read or used.
        """
        shown = shown or path.name
        try:
            with path.open("rb") as file:
                found = os.fstat(file.fileno())
                stamp = (found.st_mtime_ns, found.st_size, found.st_ino)
                known = self._known.get(path)
                if known is not None and known[0] == stamp and not found.st_mode & forbidden_mode:
                    return known[1]
                data = file.read(MAX_FILE_BYTES + 1)
        except FileNotFoundError as error:
            raise SecretMissing(f"{shown}: {error.strerror}") from error
        except OSError as error:
            raise SecretUnavailable(f"{shown}: {error.strerror}") from error
        if found.st_mode & forbidden_mode:
            mode = stat.S_IMODE(found.st_mode)
            raise SecretUnavailable(f"{shown} has mode {mode:04o}, so other users can use it: run `chmod 600` on it")
        if len(data) > MAX_FILE_BYTES:
            raise SecretUnavailable(f"{shown}: more than {MAX_FILE_BYTES} bytes")
        if not data.strip():
            raise SecretUnavailable(f"{shown}: empty")
        read = ReadFile(data.strip(), f"{found.st_mtime_ns:x}")
        self._known[path] = (stamp, read)
        return read
