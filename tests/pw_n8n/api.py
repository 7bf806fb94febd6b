"""`pageworker-api` as a process that can be killed, and a token for it."""

import json
import os
import subprocess
import sys
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import httpx
from pw_servers.waiting import until

BIN = Path(sys.executable).parent
INSTALLED = (BIN / "pageworker-api").exists()
"""Whether this version has the HTTP API."""
START_SECONDS = 60.0


@dataclass
class ApiProcess:
    """`pageworker-api --config FILE` on `port` of loopback."""

    config: Path
    port: int
    process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Its base URL."""
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start it (again), and wait until it takes requests."""
        with (self.config.parent / "api.log").open("ab") as log:
            self.process = subprocess.Popen(
                [str(BIN / "pageworker-api"), "--config", str(self.config)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        until(self._ready, "pageworker-api is ready", START_SECONDS, 0.1)

    def _ready(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, (self.config.parent / "api.log").read_text()[-3000:]
        with suppress(httpx.TransportError):
            return httpx.get(f"{self.url}/readyz", timeout=10).is_success
        return False

    def kill(self) -> None:
        """SIGKILL, if it runs."""
        if self.process is not None:
            self.process.kill()
            self.process.wait(10)
            self.process = None

    def token(self, tenant_id: str) -> str:
        """A new token of a tenant with the scopes that the node needs."""
        command = [str(BIN / "workerctl"), "tenant", "create-token", tenant_id, "--scope", "producer", "--json"]
        environment = {**os.environ, "PAGEWORKER_CONFIG": str(self.config)}
        found = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
        token: str = json.loads(found.stdout)["token"]
        return token

    def jobs_without_result(self, token: str) -> int:
        """How many jobs of the token's tenant wait or run."""
        answer = httpx.get(f"{self.url}/v1/limits", headers={"Authorization": f"Bearer {token}"}, timeout=30)
        count: int = answer.raise_for_status().json()["jobs"]
        return count
