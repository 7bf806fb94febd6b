"""A redis-server of the daemon's own: persistent, on loopback, gone with the daemon.

Where the daemon is root, the server has a user of its own. Everybody needs one of three passwords (users.py).
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

from pageworker_supervisor.redis_client.credentials import PasswordFile, PasswordUnreadable
from pageworker_supervisor.redis_client.errors import EmbeddedUnfit
from pageworker_supervisor.redis_client.redis_folder import RedisFolder
from pageworker_supervisor.redis_client.server_config import server_config
from pageworker_supervisor.redis_client.url import parse_url
from pageworker_supervisor.redis_client.users import WORKER
from pageworker_supervisor.telemetry import log

EXEC_SCRIPT = Path(__file__).with_name("exec_with_parent_death_signal.py")
PROGRAMS = ("redis-server", "valkey-server")
PLACES = ("/usr/bin", "/usr/sbin", "/usr/local/bin", "/usr/local/sbin", "/opt/redis/bin", "/opt/homebrew/bin")
OLDEST = 7
START_SECONDS = 20.0
PATIENCE = 5
"""Seconds of loading that a start waits for. With more data than that it goes on, not ready, and Redis loads."""
STOP_SECONDS = 10.0
"""Every write is on disk already: killed after that, it loses nothing."""
HANDOVER_SECONDS = 10.0
"""A predecessor's Redis ends within two seconds; a slow disk may take longer."""
POLL_SECONDS = 0.01
ANY_PORT_TRIES = 10
FULL = (errno.ENOSPC, errno.EDQUOT)


def find_server() -> Path:
    """The program. Raises EmbeddedUnfit where there is none, or one that is too old."""
    path = os.pathsep.join([os.environ.get("PATH", ""), *PLACES])
    found = next((which for name in PROGRAMS if (which := shutil.which(name, path=path))), None)
    if found is None:
        raise EmbeddedUnfit(
            "there is no redis-server on this machine",
            "apt install redis-server, or set redis.url to a Redis that runs elsewhere",
        )
    said = subprocess.run([found, "--version"], capture_output=True, text=True, check=False).stdout
    version = re.search(r"v=(\d+)\.", said)
    if version is None or int(version[1]) < OLDEST:
        raise EmbeddedUnfit(
            f"{found} is too old: {said.strip()[:80]}", f"install Redis {OLDEST} or later, or set redis.url"
        )
    return Path(found)


class EmbeddedRedis:
    """`async with` starts and stops it. `port` 0: any free one; clients find it in `redis/port` of the data folder.

    `user`: the user id that the server gets (None: ours).
    """

    def __init__(self, data_dir: Path, port: int, *, user: int | None = None, prefix: str = "pw") -> None:
        self.port = port
        self.folder = RedisFolder(data_dir)
        self.credentials = PasswordFile(self.folder.password_file(WORKER), WORKER, "the file")
        self.url = ""
        """The worker's way to it, once it runs. Not the port: while the server is away, anybody may listen there."""
        self._wanted = port
        self._user = user
        self._prefix = prefix
        self._program = Path()
        self._locks = contextlib.ExitStack()
        self._inherited = -1
        self._process: asyncio.subprocess.Process | None = None

    @property
    def pid(self) -> int | None:
        """Process id while it runs."""
        return self._process.pid if self._process and self._process.returncode is None else None

    async def __aenter__(self) -> Self:
        self._program = find_server()
        try:
            with _named(self.folder):
                self.folder.make()
                await self._lock()
                self.folder.prepare(self._user)
                self.url = self.folder.socket_url()
            await self._start()
        except BaseException:
            await self._stop()
            raise
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self._stop()

    async def revive(self) -> None:
        """Start it again if it died. Raises EmbeddedUnfit where that cannot be done."""
        if self.pid is None:
            if self._process is not None:
                why = self.folder.last_words()
                log.error("the embedded Redis died", returncode=self._process.returncode, last_words=why)
            self._process = None
            await self._start()

    async def _lock(self) -> None:
        """Two locks: the daemon's own, and one that Redis inherits, free only when the last Redis is gone."""
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
            # flock(2) tells nobody when it could succeed, and waiting in it would block the loop.
            await asyncio.sleep(POLL_SECONDS)
        raise EmbeddedUnfit(
            f"a redis-server still runs on {self.folder.path}", "wait for it to end, or end it with SIGTERM"
        )

    def _open(self, name: str) -> int:
        descriptor = os.open(self.folder.path / name, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        self._locks.callback(os.close, descriptor)
        return descriptor

    async def _start(self) -> None:
        with _named(self.folder):
            self.folder.check_space()
            await self._start_somewhere()

    async def _start_somewhere(self) -> None:
        for _ in range(ANY_PORT_TRIES):
            # A restart keeps the port that clients know.
            self.port = self.port or _free_port()
            self._check_port()
            if await self._launch():
                self.folder.write_port(self.port)
                log.info("embedded Redis runs", port=self.port, pid=self.pid, folder=str(self.folder.path))
                return
            if self._wanted:
                break
            self.port = 0
        raise EmbeddedUnfit(f"{self._program} does not start: {self.folder.last_words()}", f"look at {self.folder.log}")

    def _check_port(self) -> None:
        with socket.socket() as probe:
            # As Redis does it: connections of a predecessor in TIME_WAIT are no obstacle.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", self.port))
            except OSError as error:
                raise EmbeddedUnfit(
                    f"port {self.port} on 127.0.0.1: {error.strerror}",
                    "set redis.port to a free one (0: any), or redis.url to the Redis that is there",
                ) from error

    async def _launch(self) -> bool:
        config = server_config(self.port, self._prefix, self.folder.passwords())
        with self.folder.log.open("wb") as output, _readable(config) as told:
            self.folder.log.chmod(0o600)
            self._process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-I", "-S", str(EXEC_SCRIPT), str(os.getpid())),
                *("-" if self._user is None else str(self._user), str(self.folder.data)),
                *(str(self._program), "-"),
                stdin=told,
                stdout=output,
                stderr=subprocess.STDOUT,
                pass_fds=(self._inherited,),
                env={},
                # Ctrl-C in a terminal goes to the whole group: Redis must outlive the daemon's drain.
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
        """True when it does; False when it ended. Somebody else may have taken the port meanwhile."""
        while process.returncode is None:
            # A port that opens is no event to others; with NOTIFY_SOCKET it would depend on the build.
            await asyncio.sleep(POLL_SECONDS)
            try:
                info: dict[str, Any] = await client.info()
            except (rx.ConnectionError, rx.TimeoutError, OSError):
                continue
            if info["process_id"] == process.pid and (not info["loading"] or info["loading_eta_seconds"] > PATIENCE):
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
        if process.returncode is not None:
            return
        process.terminate()
        try:
            async with asyncio.timeout(STOP_SECONDS):
                await process.wait()
        except TimeoutError:
            log.error("the embedded Redis does not end; killed", pid=process.pid)
            process.kill()
            await process.wait()


@contextlib.contextmanager
def _named(folder: RedisFolder) -> Iterator[None]:
    """Errors of files become ours: a full disk or a closed folder may pass, and is no bug."""
    try:
        yield
    except EmbeddedUnfit:
        raise
    except (OSError, PasswordUnreadable) as error:
        why = f"{error.filename}: {error.strerror}" if isinstance(error, OSError) and error.filename else str(error)
        mend = "free some space" if isinstance(error, OSError) and error.errno in FULL else "let the daemon write there"
        raise EmbeddedUnfit(f"the folder of the embedded Redis, {folder.path}, is not usable: {why}", mend) from error


@contextlib.contextmanager
def _readable(text: str) -> Iterator[int]:
    """A descriptor that gives this text, which is in no file."""
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
