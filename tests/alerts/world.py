"""A worker with echo runners, Redis, a receiver of callbacks, the fleet process, and a Prometheus that scrapes them."""

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import ExitStack, asynccontextmanager, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import msgspec
from alerts.prometheus_process import SCRAPE_SECONDS, PrometheusProcess
from chaos.run import ECHO_MODULE
from chaos.worker_config import ChaosWorkerConfig
from pw_queue import plain_client
from pw_servers import RedisServer
from pw_servers.openbao import OpenBao, openbao
from pw_servers.ports import free_port
from pw_servers.waiting import until
from repository.sources import ROOT

from pageworker_demo.toml import toml_text
from pageworker_demo.workspace import publish
from pageworker_sandbox.signing import SecretKey
from pageworker_supervisor.admin.control_client import WorkerClient
from pageworker_supervisor.queue import QueueClient
from pageworker_supervisor.redis_client import Router

MODULE = "chaos.echo"
DIVISOR = 60.0
START_SECONDS = 180.0
"""On a busy host a worker takes long."""
LOGIN_SECONDS = 120
"""How long the worker's login at the secret backend is valid. It renews it after 80 s."""
VAULT_TENANT = "vaulted"
"""Its callbacks are signed with a secret of the backend."""
OLDEST_OFFSET = "15s"
SETTINGS: dict[str, dict[str, Any]] = {
    "pool": {"runners": 2, "pages": 2, "idle_seconds": 60, "residency_seconds": 0.1, "kill_grace_seconds": 0.5},
    "jobs": {"max_retries": 0, "timeout_seconds": 300},
    "callbacks": {"timeout_seconds": 2},
    "log": {"level": "debug"},
}


class StatusReceiver:
    """Receives callbacks and answers each with `status`."""

    def __init__(self) -> None:
        self.status = 200
        receiver = self

        class _Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                self.rfile.read(int(self.headers["content-length"]))
                self.send_response(receiver.status)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, format: str, *args: Any) -> None:
                """Print nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/"
        self._thread = threading.Thread(target=self._server.serve_forever)
        self._thread.start()

    def close(self) -> None:
        """Stop serving."""
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


class LoggedProcess:
    """A process of the product, with its output in a file. It ends with this one."""

    def __init__(self, log_file: Path, *command: str) -> None:
        self.log_file = log_file
        self._command = command
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it (again)."""
        with self.log_file.open("ab") as log:
            self._process = subprocess.Popen(
                ["setpriv", "--pdeathsig", "KILL", *self._command],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                env={**os.environ, "PYTHONPATH": str(ROOT / "tests")},
            )

    def send(self, number: signal.Signals) -> None:
        """Send a signal."""
        assert self._process is not None
        self._process.send_signal(number)

    def kill(self) -> None:
        """SIGKILL, and wait."""
        if self._process is not None:
            self._process.kill()
            self._process.communicate()


class AlertWorld:
    """All of it. `divisor`: that of the rules' durations. `bao`: the secret backend; None: there is none."""

    def __init__(
        self,
        folder: Path,
        divisor: float = DIVISOR,
        *,
        scrape_seconds: float = SCRAPE_SECONDS,
        bao: OpenBao | None = None,
    ) -> None:
        self.folder = folder
        self.bao = bao
        self.redis = RedisServer(["--appendonly", "yes"])
        self.receiver = StatusReceiver()
        self.registry = folder / "registry"
        self.snapshots = folder / "snapshots"
        self.key = SecretKey.new()
        self.worker_port, self.fleet_port = free_port(), free_port()
        self.worker = LoggedProcess(
            folder / "worker.log", sys.executable, "-m", "chaos.worker", str(folder / "chaos.json")
        )
        self.fleet = LoggedProcess(
            folder / "fleet.log",
            *(str(Path(sys.executable).with_name("workerctl")), "scale", "--config", str(self.config)),
            *("--serve", f"127.0.0.1:{self.fleet_port}"),
        )
        self.prometheus = PrometheusProcess(
            folder / "prometheus",
            {"pageworker": self.worker_port, "pageworker-fleet": self.fleet_port},
            divisor,
            scrape_seconds,
        )
        self._numbers = iter(range(1_000_000))

    @property
    def config(self) -> Path:
        """The configuration of the worker and of the fleet process."""
        return self.folder / "pageworker.toml"

    def configure(self, more: Mapping[str, Mapping[str, Any]] | None = None) -> None:
        """Write the configuration, with `more` in its sections."""
        secret = self.folder / "callback.secret"
        secret.write_bytes(b"callback secret of the tests")
        own = {"callback_allow": ["http://127.0.0.1:*/*"], "callback_secret_file": str(secret)}
        settings: dict[str, dict[str, Any]] = {
            "redis": {"url": self.redis.url},
            "worker": {"id": "w1", "data_dir": str(self.folder / "data"), "drain_seconds": 1},
            "http": {"bind": f"127.0.0.1:{self.worker_port}"},
            "modules": {
                "registry": str(self.registry),
                "trusted_keys": [self.key.public.line()],
                "refresh_seconds": 1,
            },
            "tenants": {"*": own},
            **SETTINGS,
        }
        if self.bao is not None:
            settings |= self._secrets(self.bao)
            settings["tenants"][VAULT_TENANT] = {"callback_allow": own["callback_allow"], "callback_secret": "hook"}
        for section, values in (more or {}).items():
            settings[section] = {**settings.get(section, {}), **values}
        self.config.write_text(toml_text(settings))

    def _secrets(self, bao: OpenBao) -> dict[str, dict[str, Any]]:
        """Of the backend, and the snapshot store whose key it holds."""
        bao.put(VAULT_TENANT, "hook", "callback secret of the tests")
        role_id, secret_id = bao.approle(f"{LOGIN_SECONDS}s")
        file = self.folder / "secret_id"
        file.write_text(secret_id)
        file.chmod(0o600)
        bao.put("_fleet", "profile_key", os.urandom(32).hex())
        vault = {"url": bao.url, "auth": "approle", "role_id": role_id, "secret_id_file": str(file)}
        profiles = {"store": self.snapshots.as_uri(), "key_secret": "profile_key"}
        return {"secrets": {"backend": "vault", "vault": vault}, "profiles": profiles}

    def start(self) -> None:
        """Start all, and wait until the worker takes jobs."""
        (self.folder / "data").mkdir()
        (self.folder / "profiles").mkdir()
        self.snapshots.mkdir()
        asyncio.run(publish([ECHO_MODULE], self.registry, self.key))
        self.redis.start()
        self.configure()
        chaos = ChaosWorkerConfig(
            config_file=str(self.config),
            profiles=str(self.folder / "profiles"),
            routes={},
            runners="echo",
            lease_ms=4000,
            promise_ms=15_000,
            silent_seconds=4,
        )
        (self.folder / "chaos.json").write_bytes(msgspec.json.encode(chaos))
        self.worker.start()
        self.fleet.start()
        self.prometheus.start()
        self.wait_ready()

    def wait_past(self) -> None:
        """Wait until Prometheus has a past: the rules count a series that is new only if it was not there before."""
        until(lambda: bool(self.prometheus.values(f"count(up offset {OLDEST_OFFSET})")), "there is a past", 60, 0.25)

    def wait_ready(self) -> None:
        """Wait until the worker takes jobs."""
        until(self._is_ready, f"the worker is ready, see {self.worker.log_file}", START_SECONDS, 0.1)

    def _is_ready(self) -> bool:
        try:
            return httpx.get(f"http://127.0.0.1:{self.worker_port}/readyz", timeout=5).is_success
        except httpx.TransportError:
            return False

    def close(self) -> None:
        """End all."""
        self.prometheus.stop()
        self.fleet.kill()
        self.worker.kill()
        self.redis.close()
        self.receiver.close()

    @property
    def control(self) -> WorkerClient:
        """The control socket of the worker."""
        return WorkerClient(self.folder / "data", timeout_seconds=30)

    def push(self, do: str = "echo", milliseconds: int = 1, tenant: str = "acme", **job: Any) -> str:
        """Push one job. Returns its id. What `payload` holds beside `do` and `ms` is in `job["more"]`."""
        job_id = f"j{next(self._numbers)}"
        payload = {"do": do, "ms": milliseconds, **job.pop("more", {})}
        text = {"job_id": job_id, "tenant_id": tenant, "endpoint_module": MODULE, "payload": payload, **job}
        self.redis.command("RPUSH", "pw:inbox", msgspec.json.encode(text))
        return job_id

    @contextmanager
    def load(self, push: Callable[[], Any], seconds: float) -> Iterator[None]:
        """Call `push` each `seconds` while the block lasts."""
        over = threading.Event()

        def run() -> None:
            while not over.wait(seconds):
                with contextlib.suppress(Exception):
                    push()

        thread = threading.Thread(target=run)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()

    @asynccontextmanager
    async def queue(self) -> AsyncIterator[QueueClient]:
        """The queue, as an operator's program reaches it."""
        client = plain_client(self.redis.port)
        try:
            yield QueueClient(Router(client, client))
        finally:
            await client.aclose()


@contextmanager
def alert_world(folder: Path, *, scrape_seconds: float = SCRAPE_SECONDS, secrets: bool = False) -> Iterator[AlertWorld]:
    """One that runs for the block. `secrets`: with a secret backend."""
    with ExitStack() as stack:
        bao = stack.enter_context(openbao()) if secrets else None
        world = AlertWorld(folder, scrape_seconds=scrape_seconds, bao=bao)
        stack.callback(world.close)
        world.start()
        yield world
