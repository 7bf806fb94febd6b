"""Passwords from files. A file is read for each new connection, so a rotated password needs no restart."""

import errno
import os
from pathlib import Path
from typing import BinaryIO

from redis import exceptions as rx
from redis.credentials import CredentialProvider

from pageworker_supervisor.config.data_dir import open_workers_file

MAX_BYTES = 4096
RESOURCE_ERRORS = (errno.EMFILE, errno.ENFILE, errno.ENOMEM)


class PasswordUnreadable(rx.AuthenticationError):
    """The password file is missing, unreadable, empty or too long. An operator can fix it while the worker runs."""


class PasswordFile(CredentialProvider):
    """Credentials of `username` (None: the default user). Errors name `setting`.

    `data_dir`: the file is that of the embedded server in this data folder, whose owner root does not trust.
    """

    def __init__(
        self,
        path: Path,
        username: str | None = None,
        setting: str = "redis.password_file",
        *,
        data_dir: Path | None = None,
    ) -> None:
        self._path = path
        self._username = username
        self._setting = setting
        self._data_dir = data_dir

    def password(self) -> str:
        """The content of the file now, without surrounding white space.

        Raises PasswordUnreadable; redis' ConnectionError if the process has no free descriptor or no memory.
        """
        where = f"{self._setting} {self._path}"
        try:
            with self._open() as file:
                text = file.read(MAX_BYTES + 1).decode().strip()
        except UnicodeDecodeError as error:
            raise PasswordUnreadable(f"{where}: not UTF-8") from error
        except OSError as error:
            if error.errno in RESOURCE_ERRORS:
                raise rx.ConnectionError(f"{where}: {error.strerror}") from error
            raise PasswordUnreadable(f"{where}: {error.strerror}") from error
        if not text or len(text) > MAX_BYTES:
            raise PasswordUnreadable(f"{where}: {'too long' if text else 'empty'}")
        return text

    def _open(self) -> BinaryIO:
        if self._data_dir is None:
            return self._path.open("rb")
        return os.fdopen(open_workers_file(self._path, self._data_dir), "rb")

    def get_credentials(self) -> tuple[str] | tuple[str, str]:
        """Called by redis-py once per connection."""
        password = self.password()
        return (password,) if self._username is None else (self._username, password)

    async def get_credentials_async(self) -> tuple[str] | tuple[str, str]:
        """The same. So small a file is read without a thread."""
        return self.get_credentials()
