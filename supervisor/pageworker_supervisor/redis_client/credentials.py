"""Passwords from files, read again whenever a connection is made: who rotates one need not restart anybody."""

import errno
from pathlib import Path

from redis import exceptions as rx
from redis.credentials import CredentialProvider

MAX_BYTES = 4096
USED_UP = (errno.EMFILE, errno.ENFILE, errno.ENOMEM)


class PasswordUnreadable(rx.AuthenticationError):
    """The file is away, closed to us or empty: the operator can put it back."""


class PasswordFile(CredentialProvider):
    """Credentials of `username` (None: the default user). `setting` names the file's setting in errors."""

    def __init__(self, path: Path, username: str | None = None, setting: str = "redis.password_file") -> None:
        self._path = path
        self._username = username
        self._setting = setting

    def password(self) -> str:
        """What is in it now, without white space around it. Raises PasswordUnreadable; redis' ConnectionError where
        this process has no descriptor left to open it."""
        where = f"{self._setting} {self._path}"
        try:
            with self._path.open("rb") as file:
                text = file.read(MAX_BYTES + 1).decode().strip()
        except UnicodeDecodeError as error:
            raise PasswordUnreadable(f"{where}: not UTF-8") from error
        except OSError as error:
            if error.errno in USED_UP:
                raise rx.ConnectionError(f"{where}: {error.strerror}") from error
            raise PasswordUnreadable(f"{where}: {error.strerror}") from error
        if not text or len(text) > MAX_BYTES:
            raise PasswordUnreadable(f"{where}: {'too long' if text else 'empty'}")
        return text

    def get_credentials(self) -> tuple[str] | tuple[str, str]:
        """As redis-py asks for them, once for each connection."""
        password = self.password()
        return (password,) if self._username is None else (self._username, password)

    async def get_credentials_async(self) -> tuple[str] | tuple[str, str]:
        """The same: a file so small is read at once."""
        return self.get_credentials()
