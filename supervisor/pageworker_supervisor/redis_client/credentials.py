"""Passwords from files. A file is read for each new connection, so a rotated password needs no restart."""

import errno
from pathlib import Path

from redis import exceptions as rx
from redis.credentials import CredentialProvider

MAX_BYTES = 4096
RESOURCE_ERRORS = (errno.EMFILE, errno.ENFILE, errno.ENOMEM)


class PasswordUnreadable(rx.AuthenticationError):
    """The password file is missing, unreadable, empty or too long. An operator can fix it while the worker runs."""


class PasswordFile(CredentialProvider):
    """Credentials of `username` (None: the default user). Errors name `setting`."""

    def __init__(self, path: Path, username: str | None = None, setting: str = "redis.password_file") -> None:
        self._path = path
        self._username = username
        self._setting = setting

    def password(self) -> str:
        """The content of the file now, without surrounding white space.

        Raises PasswordUnreadable; redis' ConnectionError if the process has no free descriptor or no memory.
        """
        where = f"{self._setting} {self._path}"
        try:
            with self._path.open("rb") as file:
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

    def get_credentials(self) -> tuple[str] | tuple[str, str]:
        """Called by redis-py once per connection."""
        password = self.password()
        return (password,) if self._username is None else (self._username, password)

    async def get_credentials_async(self) -> tuple[str] | tuple[str, str]:
        """The same. So small a file is read without a thread."""
        return self.get_credentials()
