"""Folder `redis` of the data folder: who owns what in it, and where things are.

redis/                    0700, the daemon's: the server's user can put no link here for the daemon to follow
  <user>.password         0600, one for each shipped user of Redis, made once
  port, redis.log         for people and clients
  daemon.lock, server.lock
  data/                   0700, the server's user: where the server works
    appendonlydir/, redis.sock
"""

import os
import secrets
import stat
from pathlib import Path
from urllib.parse import quote

from pageworker_supervisor.redis_client.credentials import PasswordFile, PasswordUnreadable
from pageworker_supervisor.redis_client.errors import EmbeddedUnfit
from pageworker_supervisor.redis_client.server_config import SOCKET
from pageworker_supervisor.redis_client.users import USERS

OLD_NAMES = ("appendonlydir", "appendonly.aof", "dump.rdb")
"""What lay in `redis/` itself before the server had a user of its own."""
PASSWORD_BYTES = 32
LONGEST_SOCKET = 107
"""Bytes of a path in sockaddr_un, unix(7)."""
LEAST_FREE_BYTES = 1024 * 1024


class RedisFolder:
    """One data folder's. Nothing is made before `prepare`."""

    def __init__(self, data_dir: Path) -> None:
        self.path = data_dir / "redis"
        self.data = self.path / "data"
        self.log = self.path / "redis.log"
        self.port = self.path / "port"

    def password_file(self, user: str) -> Path:
        """Of one of USERS."""
        return self.path / f"{user}.password"

    def passwords(self) -> dict[str, str]:
        """By user. Raises PasswordUnreadable."""
        return {user: PasswordFile(self.password_file(user), setting="the file").password() for user in USERS}

    def socket_url(self) -> str:
        """Of the server's Unix socket. A path too long for one is shortened by way of a descriptor, kept open."""
        path = self.data / SOCKET
        if len(os.fsencode(path)) > LONGEST_SOCKET:
            descriptor = os.open(self.data, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
            path = Path(f"/proc/self/fd/{descriptor}") / SOCKET
        return f"unix://{quote(str(path))}?db=0"

    def make(self) -> None:
        """The folder itself, closed to everybody else. Raises OSError."""
        self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.path.chmod(0o700)

    def prepare(self, user: int | None) -> None:
        """Passwords, and the server's folder as `user`'s (None: ours). Only while no server runs here.

        Raises EmbeddedUnfit, OSError.
        """
        for name in USERS:
            self._make_password(self.password_file(name))
        self.data.mkdir(mode=0o700, exist_ok=True)
        for name in OLD_NAMES:
            if (self.path / name).exists() and not (self.data / name).exists():
                (self.path / name).rename(self.data / name)
        self._give_to(*((os.geteuid(), os.getegid()) if user is None else (user, user)))
        self.data.chmod(0o700)

    def check_space(self) -> None:
        """Raises EmbeddedUnfit where the server would end with its first write."""
        disk = os.statvfs(self.data)
        free = disk.f_bavail * disk.f_frsize
        if free < LEAST_FREE_BYTES or (disk.f_files and not disk.f_favail):
            what = f"{free // 1024} KiB" if free < LEAST_FREE_BYTES else "no inodes"
            raise EmbeddedUnfit(f"the data folder is full: {what} are free for Redis in {self.data}", "free some space")

    def write_port(self, port: int) -> None:
        """For clients. Raises OSError."""
        text = f"{port}\n"
        if self.port.exists() and self.port.read_text() == text:
            return
        fresh = self.path / "port.new"
        fresh.write_text(text)
        fresh.chmod(0o600)
        fresh.replace(self.port)

    def last_words(self) -> str:
        """Of the server."""
        try:
            lines = self.log.read_text(errors="replace").strip().splitlines()
        except OSError as error:
            return f"{self.log}: {error.strerror}"
        return " / ".join(line.strip() for line in lines[-2:]) or "it said nothing"

    def _make_password(self, file: Path) -> None:
        try:
            PasswordFile(file, setting="the file").password()
        except PasswordUnreadable:
            # Also one that a full disk or a power cut left empty.
            fresh = file.with_suffix(".new")
            fresh.unlink(missing_ok=True)
            descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            with os.fdopen(descriptor, "w") as opened:
                opened.write(secrets.token_hex(PASSWORD_BYTES) + "\n")
                opened.flush()
                os.fsync(descriptor)
            fresh.replace(file)
        else:
            file.chmod(0o600)

    def _give_to(self, user: int, group: int) -> None:
        """Everything in `data`, without following a link: what is in it, the server's user may have put there."""
        for _, _, names, folder in os.fwalk(self.data, follow_symlinks=False):
            _own(".", folder, user, group)
            for name in names:
                _own(name, folder, user, group)


def _own(name: str, folder: int, user: int, group: int) -> None:
    found = os.stat(name, dir_fd=folder, follow_symlinks=False)
    if (found.st_uid, found.st_gid) == (user, group):
        return
    if stat.S_ISREG(found.st_mode) and found.st_nlink > 1:
        raise EmbeddedUnfit(
            f"{name} in the data folder's redis/data has {found.st_nlink} names",
            "nobody but an intruder makes hard links there: look at it, then remove it",
        )
    os.chown(name, user, group, dir_fd=folder, follow_symlinks=False)
