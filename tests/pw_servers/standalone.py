"""One redis-server process."""

import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any, Self

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from pw_servers.certificates import Certificates
from pw_servers.ports import free_port
from pw_servers.waiting import until

# The kernel ends the server with the thread that started it, so also when the test is killed.
WITH_PARENT = ("setpriv", "--pdeathsig", "KILL")
STOP_SECONDS = 20


class RedisServer:
    """A running redis-server. `directory` survives `restart()`, and is removed with `close()` if it is ours."""

    def __init__(
        self,
        options: Sequence[str] = (),
        *,
        port: int | None = None,
        directory: Path | None = None,
        certificates: Certificates | None = None,
    ) -> None:
        self.port = port or 0
        self.directory = directory or Path(tempfile.mkdtemp(prefix="pw-redis-"))
        self.certificates = certificates
        self._ours = directory is None
        self._fixed_port = port is not None
        self._options = list(options)
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """The URL as `redis.url` takes it, without a password: tests that need a user add it."""
        scheme = "rediss" if self.certificates else "redis"
        return f"{scheme}://127.0.0.1:{self.port}/0"

    @property
    def ca_file(self) -> Path | None:
        """The certificate that a TLS client has to trust."""
        return self.certificates.ca if self.certificates else None

    @property
    def pid(self) -> int:
        """Process id. Raises RuntimeError if nothing runs."""
        if self._process is None:
            raise RuntimeError("this server is not running")
        return self._process.pid

    @property
    def is_up(self) -> bool:
        """Whether the process runs: it may have ended on its own."""
        return self._process is not None and self._process.poll() is None

    @property
    def log(self) -> str:
        """What the server printed."""
        return (self.directory / "redis.log").read_text()

    def start(self) -> Self:
        """Start and wait until it answers; another free port where the first was taken meanwhile."""
        for _ in range(10):
            if not self._fixed_port and self._process is None and self.port == 0:
                self.port = free_port()
            if self._launch():
                return self
            if not self._fixed_port:
                self.port = 0
        raise RuntimeError(f"redis-server does not start:\n{self.log[-2000:]}")

    def _launch(self) -> bool:
        with (self.directory / "redis.log").open("ab") as log:
            process = subprocess.Popen(
                [*WITH_PARENT, "redis-server", *self._arguments()],
                cwd=self.directory,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        until(lambda: process.poll() is not None or self._answers(), "redis-server answers")
        if process.returncode is not None:
            return False
        self._process = process
        return True

    def _arguments(self) -> list[str]:
        listen = ["--port", str(self.port)]
        if self.certificates:
            listen = ["--port", "0", "--tls-port", str(self.port), *self.certificates.server_options()]
        return [
            *listen,
            *("--bind", "127.0.0.1", "--save", "", "--dir", str(self.directory)),
            *("--daemonize", "no", "--loglevel", "notice", "--enable-debug-command", "local"),
            # A replica of a test waits five seconds for others to join its transfer otherwise.
            *("--repl-diskless-sync-delay", "0"),
            *self._options,
        ]

    def _answers(self) -> bool:
        try:
            self.command("PING")
        except redis.exceptions.BusyLoadingError:
            return False
        except (redis.exceptions.ConnectionError, redis.exceptions.TimeoutError, OSError):
            return False
        except redis.exceptions.ResponseError:
            return True  # it answers, if only to say who may not ask
        return True

    def client(self, username: str | None = None, password: str | None = None) -> redis.Redis:
        """A plain synchronous client of the test's own; the caller closes it."""
        return redis.Redis(
            "127.0.0.1",
            self.port,
            username=username,
            password=password,
            socket_timeout=5,
            retry=Retry(NoBackoff(), 0),
            ssl=self.certificates is not None,
            ssl_ca_certs=str(self.ca_file) if self.ca_file else None,
        )

    def command(self, *words: Any) -> Any:
        """One command on a connection of its own, as the default user; replies as redis-py gives them."""
        with closing(self.client()) as client:
            # redis-py leaves this method untyped.
            execute: Any = client.execute_command
            try:
                return execute(*words)
            except redis.exceptions.ConnectionError as error:
                if self._process and self._process.poll() is not None:
                    error.add_note(f"redis-server ended with {self._process.returncode}: {self.log[-2000:]}")
                raise

    def pause(self) -> None:
        """SIGSTOP: connections stay open and nothing answers."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        """SIGCONT."""
        self._signal(signal.SIGCONT)

    def kill(self) -> None:
        """SIGKILL, and wait. Nothing is flushed by Redis itself."""
        self._signal(signal.SIGKILL)
        self._wait()

    def stop(self) -> None:
        """SIGTERM, and wait; a paused one is resumed first. Stopping what is stopped is fine."""
        if self._process is None:
            return
        self._signal(signal.SIGCONT)
        for _ in range(STOP_SECONDS):
            # Again and again: one that writes its first AOF after a full synchronisation says that it can't exit.
            self._signal(signal.SIGTERM)
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(1)
                break
        self._wait()

    def restart(self) -> None:
        """Stop if running, then start on the same port with the same folder."""
        self.stop()
        self.start()

    def close(self) -> None:
        """End it for good and remove its folder."""
        if self._process is not None:
            self.kill()
        if self._ours:
            shutil.rmtree(self.directory, ignore_errors=True)

    def _signal(self, number: int) -> None:
        if self._process is None:
            raise RuntimeError("this server is not running")
        self._process.send_signal(number)

    def _wait(self) -> None:
        if self._process is not None:
            self._process.wait(STOP_SECONDS)
            self._process = None


@contextmanager
def redis_server(
    *,
    aof: bool = False,
    tls: bool = False,
    acl_file: Path | None = None,
    maxmemory: int | str | None = None,
    replica_of: RedisServer | None = None,
    port: int | None = None,
    directory: Path | None = None,
    options: Sequence[str] = (),
) -> Iterator[RedisServer]:
    """A standalone server for the block; with `aof` as durable as a worker's own.

    `acl_file` is copied, so that ACL SAVE does not change the original.
    """
    home = directory or Path(tempfile.mkdtemp(prefix="pw-redis-"))
    words = list(options)
    if aof:
        words += ["--appendonly", "yes", "--appendfsync", "always"]
    if acl_file is not None:
        shutil.copy(acl_file, home / "users.acl")
        words += ["--aclfile", str(home / "users.acl")]
    if maxmemory is not None:
        words += ["--maxmemory", str(maxmemory), "--maxmemory-policy", "noeviction"]
    if replica_of is not None:
        words += ["--replicaof", "127.0.0.1", str(replica_of.port)]
    certificates = Certificates.make(home) if tls else None
    server = RedisServer(words, port=port, directory=home, certificates=certificates)
    try:
        yield server.start()
    finally:
        server.close()
        if directory is None:
            shutil.rmtree(home, ignore_errors=True)
