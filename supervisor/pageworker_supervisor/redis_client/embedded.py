"""The embedded redis-server of the daemon: persistent, on loopback, and stopped with the daemon.

If the daemon is root, the server runs under a user of its own. Every client needs one of three passwords (users.py).
"""

import asyncio
import contextlib
import errno
import fcntl
import os
import re
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Self

from redis import exceptions as rx
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from pageworker_supervisor.host.process_end import end_process
from pageworker_supervisor.redis_client.credentials import PasswordUnreadable
from pageworker_supervisor.redis_client.errors import EmbeddedUnfit, NoRedisServer
from pageworker_supervisor.redis_client.redis_folder import RedisFolder
from pageworker_supervisor.redis_client.server_config import server_config
from pageworker_supervisor.redis_client.url import parse_url
from pageworker_supervisor.redis_client.users import WORKER
from pageworker_supervisor.telemetry import log

EXEC_SCRIPT = Path(__file__).with_name("exec_with_parent_death_signal.py")
PROGRAMS = ("redis-server", "valkey-server")
DIRECTORIES = ("/usr/bin", "/usr/sbin", "/usr/local/bin", "/usr/local/sbin", "/opt/redis/bin", "/opt/homebrew/bin")
OLDEST_VERSION = 7
START_SECONDS = 20.0
LOADING_SECONDS = 5
"""How long a start waits for Redis to load its data. After that the worker goes on, not ready, while Redis loads."""
STOP_SECONDS = 10.0
"""After this it is killed. It loses nothing: every write is on disk already."""
HANDOVER_SECONDS = 10.0
"""The Redis of the previous daemon ends within two seconds; with a slow disk it takes longer."""
POLL_SECONDS = 0.01
ANY_PORT_TRIES = 10
DISK_FULL = (errno.ENOSPC, errno.EDQUOT)


def find_server() -> Path:
    """The path of the program. Raises NoRedisServer if it is missing or too old."""
    path = os.pathsep.join([os.environ.get("PATH", ""), *DIRECTORIES])
    found = next((which for name in PROGRAMS if (which := shutil.which(name, path=path))), None)
    if found is None:
        raise NoRedisServer(
            "there is no redis-server on this machine",
            "run `apt install redis-server`, or set redis.url to a Redis that runs elsewhere",
        )
    output = subprocess.run([found, "--version"], capture_output=True, text=True, check=False).stdout
    version = re.search(r"v=(\d+)\.", output)
    if version is None or int(version[1]) < OLDEST_VERSION:
        raise NoRedisServer(
            f"{found} is too old: {output.strip()[:80]}", f"install Redis {OLDEST_VERSION} or later, or set redis.url"
        )
    return Path(found)


class EmbeddedRedis:
    """`async with` starts and stops the server.

    `port` 0: any free one, which clients find in `redis/port` of the data folder. `user`: the user id of the server
    (None: the daemon's own). `namespace`: descriptor of a user namespace in which the daemon may become `user`; None:
    it is root, or needs no other user.
    """

    def __init__(
        self,
        data_dir: Path,
        port: int,
        *,
        user: int | None = None,
        namespace: int | None = None,
        prefix: str = "pw",
    ) -> None:
        self.port = port
        self.folder = RedisFolder(data_dir)
        self.credentials = self.folder.credentials(WORKER)
        self.url = ""
        """The URL of its Unix socket, once it runs. While the server is down, any process could listen on its port."""
        self._wanted = port
        self._user = user
        self._namespace = namespace
        self._prefix = prefix
        self._program = Path()
        self._locks = contextlib.ExitStack()
        self._inherited = -1
        self._process: asyncio.subprocess.Process | None = None

    @property
    def pid(self) -> int | None:
        """Its process id; None while it does not run."""
        return self._process.pid if self._process and self._process.returncode is None else None

    async def __aenter__(self) -> Self:
        self._program = find_server()
        try:
            with _as_embedded_unfit(self.folder):
                self.folder.make()
                await self._lock()
                self.folder.prepare(self._user, self._namespace)
                self.url = self.folder.socket_url()
            await self._start()
        except BaseException:
            await self._stop()
            raise
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self._stop()

    async def revive(self) -> None:
        """Start the server again if it has died. Raises EmbeddedUnfit if that is not possible."""
        if self.pid is None:
            if self._process is not None:
                lines = self.folder.last_log_lines()
                log.error("the embedded Redis died", returncode=self._process.returncode, last_lines=lines)
            self._process = None
            await self._start()

    async def _lock(self) -> None:
        """Take two locks: the daemon's, and one that Redis inherits: it is free when the previous Redis has ended."""
        daemon = self._open("daemon.lock")
        if not _try_lock(daemon):
            raise EmbeddedUnfit(
                f"another pageworker uses {self.folder.path.parent}",
                "give each daemon a worker.data_dir of its own, or set redis.url to a Redis that they share",
            )
        self._inherited = self._open("server.lock")
        for _ in range(int(HANDOVER_SECONDS / POLL_SECONDS)):
            if _try_lock(self._inherited):
                return
            # flock(2) sends no event when it could succeed, and a blocking call would block the event loop.
            await asyncio.sleep(POLL_SECONDS)
        raise EmbeddedUnfit(
            f"a redis-server still runs on {self.folder.path}", "wait until it ends, or stop it with SIGTERM"
        )

    def _open(self, name: str) -> int:
        descriptor = os.open(self.folder.path / name, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        self._locks.callback(os.close, descriptor)
        return descriptor

    async def _start(self) -> None:
        with _as_embedded_unfit(self.folder):
            self.folder.check_space()
            await self._start_somewhere()

    async def _start_somewhere(self) -> None:
        for _ in range(ANY_PORT_TRIES):
            # A restarted server keeps the port that clients know.
            self.port = self.port or _free_port()
            self._check_port()
            if await self._launch():
                self.folder.write_port(self.port)
                log.info("embedded Redis runs", port=self.port, pid=self.pid, folder=str(self.folder.path))
                return
            if self._wanted:
                break
            self.port = 0
        raise EmbeddedUnfit(
            f"{self._program} does not start: {self.folder.last_log_lines()}", f"look at {self.folder.log}"
        )

    def _check_port(self) -> None:
        with socket.socket() as probe:
            # As Redis does: connections of a previous server in TIME_WAIT do not block the port.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", self.port))
            except OSError as error:
                raise EmbeddedUnfit(
                    f"port {self.port} on 127.0.0.1: {error.strerror}",
                    "set redis.port to a free port (0: any), or redis.url to the Redis that listens there",
                ) from error

    async def _launch(self) -> bool:
        group = self._namespace is not None
        config = server_config(self.port, self._prefix, self.folder.passwords(), group=group)
        with self.folder.log.open("wb") as output, _readable(config) as stdin:
            self.folder.log.chmod(0o600)
            self._process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-I", "-S", str(EXEC_SCRIPT), str(os.getpid())),
                "-" if self._namespace is None else str(self._namespace),
                *("-" if self._user is None else str(self._user), str(self.folder.data)),
                *(str(self._program), "-"),
                stdin=stdin,
                stdout=output,
                stderr=subprocess.STDOUT,
                pass_fds=[self._inherited, *([] if self._namespace is None else [self._namespace])],
                env={},
                # Ctrl-C in a terminal signals the whole process group, but Redis must outlive the daemon's drain.
                start_new_session=True,
            )
        client = Redis(
            unix_socket_path=parse_url(self.url).path,
            credential_provider=self.credentials,
            socket_timeout=1,
            protocol=2,
            driver_info=None,
            retry=Retry(NoBackoff(), 0),
        )
        try:
            async with asyncio.timeout(START_SECONDS):
                return await self._answers(client, self._process)
        except TimeoutError:
            await self._end(self._process)
            return False
        finally:
            await client.aclose()

    async def _answers(self, client: Redis, process: asyncio.subprocess.Process) -> bool:
        """Whether this process answers. False: it has ended, for instance because another one took the port."""
        while process.returncode is None:
            # There is no event for a port that opens. NOTIFY_SOCKET would be one, but not in every build of Redis.
            await asyncio.sleep(POLL_SECONDS)
            try:
                info: dict[str, Any] = await client.info()
            except (rx.ConnectionError, rx.TimeoutError, OSError):
                continue
            if info["process_id"] == process.pid and (
                not info["loading"] or info["loading_eta_seconds"] > LOADING_SECONDS
            ):
                return True
        return False

    async def _stop(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            await self._end(process)
        if self._inherited >= 0:
            self.folder.port.unlink(missing_ok=True)
        self._inherited = -1
        self._locks.close()

    async def _end(self, process: asyncio.subprocess.Process) -> None:
        if not await end_process(process, STOP_SECONDS):
            log.error("the embedded Redis did not end in time and was killed", pid=process.pid)


@contextlib.contextmanager
def _as_embedded_unfit(folder: RedisFolder) -> Iterator[None]:
    """Turn file errors into EmbeddedUnfit: a full disk or a closed folder is no bug; an operator can fix it."""
    try:
        yield
    except EmbeddedUnfit:
        raise
    except (OSError, PasswordUnreadable) as error:
        why = f"{error.filename}: {error.strerror}" if isinstance(error, OSError) and error.filename else str(error)
        mend = (
            "free some space"
            if isinstance(error, OSError) and error.errno in DISK_FULL
            else "give the daemon write access to it"
        )
        raise EmbeddedUnfit(f"the folder of the embedded Redis, {folder.path}, is not usable: {why}", mend) from error


@contextlib.contextmanager
def _readable(text: str) -> Iterator[int]:
    """A descriptor that reads this text, which is in no file on disk."""
    with os.fdopen(os.memfd_create("redis.conf", os.MFD_CLOEXEC), "wb", closefd=True) as file:
        file.write(text.encode())
        file.flush()
        file.seek(0)
        yield file.fileno()


def _try_lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
