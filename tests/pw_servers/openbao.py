"""A real OpenBao server on loopback, in development mode: in memory, unsealed, with a KV store of version 2."""

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from pw_servers.no_tls import NO_TLS
from pw_servers.ports import free_port
from pw_servers.standalone import WITH_PARENT
from pw_servers.waiting import until

BAO = Path(sys.executable).with_name("bao")
ROOT_TOKEN = "root-token-of-the-tests"
READ_ALL = 'path "secret/data/pageworker/*" { capabilities = ["read"] }'


class OpenBao:
    """A running server, and the operator's side of it."""

    def __init__(self, url: str, process: "subprocess.Popen[bytes]") -> None:
        self.url = url
        self._process = process

    def call(self, method: str, path: str, token: str = ROOT_TOKEN, **body: Any) -> dict[str, Any]:
        """One call of its API, as root unless a token is given."""
        answer = httpx.request(
            method,
            f"{self.url}/v1/{path}",
            json=body or None,
            headers={"X-Vault-Token": token},
            timeout=30,
            verify=NO_TLS,
        )
        answer.raise_for_status()
        return dict(answer.json()) if answer.content else {}

    def put(self, tenant: str, name: str, value: str, key: str = "value") -> None:
        """Store a secret, as a new version where it exists."""
        self.call("POST", f"secret/data/pageworker/{tenant}/{name}", data={key: value})

    def policy(self, text: str = READ_ALL) -> None:
        """Make the policy `pageworker`."""
        self.call("PUT", "sys/policies/acl/pageworker", policy=text)

    def token(self, ttl: str, *, renewable: bool = True, max_ttl: str | None = None) -> str:
        """A new token with the policy `pageworker`."""
        limits = {"explicit_max_ttl": max_ttl} if max_ttl else {}
        made = self.call(
            "POST", "auth/token/create", policies=["pageworker"], ttl=ttl, renewable=renewable, no_parent=True, **limits
        )
        return str(made["auth"]["client_token"])

    def approle(self, ttl: str = "1h", max_ttl: str = "24h") -> tuple[str, str]:
        """Role id and secret id of a new AppRole with the policy `pageworker`."""
        if "approle/" not in self.call("GET", "sys/auth"):
            self.call("POST", "sys/auth/approle", type="approle")
        role = "auth/approle/role/pageworker"
        self.call("POST", role, token_policies=["pageworker"], token_ttl=ttl, token_max_ttl=max_ttl)
        role_id = self.call("GET", f"{role}/role-id")["data"]["role_id"]
        return str(role_id), str(self.call("POST", f"{role}/secret-id", metadata="{}")["data"]["secret_id"])

    def pause(self) -> None:
        """Let it answer nothing. Waits until all of its threads stand still: one could still answer before."""
        self._process.send_signal(signal.SIGSTOP)
        os.waitid(os.P_PID, self._process.pid, os.WSTOPPED | os.WNOWAIT)

    def resume(self) -> None:
        """Let it answer again."""
        self._process.send_signal(signal.SIGCONT)


@contextmanager
def openbao() -> Iterator[OpenBao]:
    """A new server with the policy `pageworker`."""
    port = free_port()
    with tempfile.TemporaryDirectory(prefix="pw-bao-") as home:
        process = subprocess.Popen(
            [
                *(*WITH_PARENT, str(BAO), "server", "-dev", "-dev-no-store-token", f"-dev-root-token-id={ROOT_TOKEN}"),
                f"-dev-listen-address=127.0.0.1:{port}",
            ],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env={"HOME": home, "PATH": "/usr/bin:/bin"},
            cwd=home,
        )
        server = OpenBao(f"http://127.0.0.1:{port}", process)
        try:
            until(lambda: _serves(server), "OpenBao serves", 60.0, 0.05)
            server.policy()
            yield server
        finally:
            process.kill()
            process.wait()


def _serves(server: OpenBao) -> bool:
    try:
        return "secret/" in server.call("GET", "sys/mounts")
    except (httpx.TransportError, httpx.HTTPStatusError):
        return False
