"""The folder `redis` in the data folder: its files and their owners.

redis/                    0700, owner: the daemon. So the server's user can place no link here for the daemon to follow
  <user>.password         0600, one per shipped user of Redis, created once
  port, redis.log         for operators and clients
  daemon.lock, server.lock
  data/                   0700, owner: the server's user. The working directory of the server. If the daemon is not
                          root: 0710, with the daemon's group, so that the daemon can connect to the socket
    appendonlydir/, redis.sock
"""

import os
import secrets
import socket
import subprocess
import sys
from pathlib import Path
from urllib.parse import quote

from pageworker_supervisor.config.data_dir import open_regular
from pageworker_supervisor.redis_client import folder_owner
from pageworker_supervisor.redis_client.credentials import PasswordFile, PasswordUnreadable
from pageworker_supervisor.redis_client.errors import EmbeddedUnfit
from pageworker_supervisor.redis_client.server_config import SOCKET
from pageworker_supervisor.redis_client.users import USERS

OLD_NAMES = ("appendonlydir", "appendonly.aof", "dump.rdb")
"""Files that were in `redis/` itself before the server had a user of its own."""
PASSWORD_BYTES = 32
MAX_SOCKET_PATH = 107
"""Bytes of a path in sockaddr_un; unix(7)."""
MAX_PORT_BYTES = 6
"""Five digits and the end of the line."""
MIN_FREE_BYTES = 1024 * 1024


class RedisFolder:
    """That of one data folder. Creates nothing before `make` and `prepare`."""

    def __init__(self, data_dir: Path) -> None:
        self._data_dir = data_dir
        self.path = data_dir / "redis"
        self.data = self.path / "data"
        self.log = self.path / "redis.log"
        self.port = self.path / "port"

    def password_file(self, user: str) -> Path:
        """The password file of one of USERS."""
        return self.path / f"{user}.password"

    def credentials(self, user: str) -> PasswordFile:
        """The credentials of one of USERS."""
        return PasswordFile(self.password_file(user), user, "the file", data_dir=self._data_dir)

    def passwords(self) -> dict[str, str]:
        """The passwords by user. Raises PasswordUnreadable."""
        return {user: self.credentials(user).password() for user in USERS}

    def socket_url(self) -> str:
        """The URL of the server's Unix socket. Too long a path is replaced by one through an open descriptor."""
        path = self.data / SOCKET
        if len(os.fsencode(path)) > MAX_SOCKET_PATH:
            descriptor = os.open(self.data, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
            path = Path(f"/proc/self/fd/{descriptor}") / SOCKET
        return f"unix://{quote(str(path))}?db=0"

    def listening(self) -> bool:
        """Whether a server accepts connections on the socket, even if it does not answer. A killed one leaves its
        socket behind, and every one its port file.

        Raises PermissionError: this user cannot find out.
        """
        try:
            folder = os.open(self.data, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        except (FileNotFoundError, NotADirectoryError):
            return False
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK) as client:
                client.connect(f"/proc/self/fd/{folder}/{SOCKET}")
        except BlockingIOError:
            return True  # its queue of connections is full; connect(2)
        except (FileNotFoundError, ConnectionRefusedError):
            return False
        finally:
            os.close(folder)
        return True

    def make(self) -> None:
        """Create the folder, closed to other users. Raises OSError."""
        self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.path.chmod(0o700)

    def prepare(self, user: int | None, namespace: int | None = None) -> None:
        """Create the passwords and the server's folder, owned by `user` (None: the daemon's user).

        `namespace`: descriptor of a user namespace in which the daemon may do that; None: it is root, or `user` is
        None. Only while no server runs here. Raises EmbeddedUnfit, OSError.
        """
        for name in USERS:
            self._make_password(name)
        self.data.mkdir(mode=0o700, exist_ok=True)
        for name in OLD_NAMES:
            if (self.path / name).exists() and not (self.data / name).exists():
                (self.path / name).rename(self.data / name)
        self._give_data(user, namespace)

    def check_space(self) -> None:
        """Raises EmbeddedUnfit if the disk has too little space for the server's first write."""
        disk = os.statvfs(self.data)
        free = disk.f_bavail * disk.f_frsize
        if free < MIN_FREE_BYTES or (disk.f_files and not disk.f_favail):
            left = f"{free // 1024} KiB" if free < MIN_FREE_BYTES else "no inodes"
            raise EmbeddedUnfit(f"the data folder is full: {left} are free for Redis in {self.data}", "free some space")

    def read_port(self) -> int:
        """The port that the server had at its last start. Raises OSError, ValueError."""
        with os.fdopen(open_regular(self.port), "rb") as file:
            return int(file.read(MAX_PORT_BYTES))

    def write_port(self, port: int) -> None:
        """Record the port for clients. Raises OSError."""
        text = f"{port}\n"
        if self.port.exists() and self.port.read_text() == text:
            return
        fresh = self.path / "port.new"
        fresh.write_text(text)
        fresh.chmod(0o600)
        fresh.replace(self.port)

    def last_log_lines(self) -> str:
        """The last two log lines of the server, for error messages."""
        try:
            lines = self.log.read_text(errors="replace").strip().splitlines()
        except OSError as error:
            return f"{self.log}: {error.strerror}"
        return " / ".join(line.strip() for line in lines[-2:]) or "its log is empty"

    def _make_password(self, user: str) -> None:
        file = self.password_file(user)
        try:
            self.credentials(user).password()
        except PasswordUnreadable:
            # Also if a full disk or a power cut left an empty file.
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

    def _give_data(self, user: int | None, namespace: int | None) -> None:
        try:
            if user is None:
                folder_owner.give(str(self.data), os.geteuid(), os.getegid(), folder_owner.OWNER_ONLY)
            elif namespace is None:
                folder_owner.give(str(self.data), user, user, folder_owner.OWNER_ONLY)
            else:
                self._give_in_namespace(user, namespace)
        except folder_owner.HardLinks as error:
            raise EmbeddedUnfit(
                str(error),
                "pageworker creates no hard links there, so this may be an attack: inspect the file, then delete it",
            ) from error

    def _give_in_namespace(self, user: int, namespace: int) -> None:
        command = [sys.executable, "-I", "-S", folder_owner.__file__, str(namespace), str(self.data)]
        done = subprocess.run(
            [*command, str(user), str(os.getegid())],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            pass_fds=[namespace],
            env={},
        )
        if done.returncode != 0:
            raise EmbeddedUnfit(
                f"{self.data} cannot be given to the user of Redis: {done.stderr.strip()}",
                f"while no worker runs, give the data folder to the user of the worker: chown -R {os.geteuid()}"
                f" {self.path.parent}",
            )
