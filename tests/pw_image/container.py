"""Runs the image as docs/container.md says: read-only root, no capability, no new privileges, the seccomp policy."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from pw_servers.waiting import until

from pw_image.build import ROOT
from pw_image.podman import LIMITS, exit_code, podman

POLICY = ROOT / "seccomp" / "container.json"
USER = 10001
UNMASKED = ("--security-opt", "unmask=ALL")
READY_SECONDS = 180.0
DATA = "/var/lib/pageworker"


def hardened(policy: Path | str = POLICY, *, unmasked: bool = True) -> list[str]:
    """The options of `podman run` that docs/container.md lists."""
    return [
        *("--read-only", "--read-only-tmpfs=false", "--tmpfs", "/tmp:mode=1777"),
        *("--cap-drop", "all", "--security-opt", "no-new-privileges"),
        *("--security-opt", f"seccomp={policy}"),
        *(UNMASKED if unmasked else ()),
        *LIMITS,
    ]


@dataclass
class WorkerContainer:
    """A container with a worker. It shares the network of this machine, so it reaches the servers of a test."""

    image: str
    name: str
    port: int
    """Of its operator's endpoints."""
    mounts: Sequence[str] = ()
    environment: Mapping[str, str] = field(default_factory=dict)

    @property
    def url(self) -> str:
        """Its operator's endpoints."""
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Create and start it. Raises PodmanFailed."""
        variables = {**self.environment, "PAGEWORKER_HTTP__BIND": f"127.0.0.1:{self.port}"}
        given = [word for name, value in variables.items() for word in ("--env", f"{name}={value}")]
        mounts = [word for mount in (f"{self.name}:{DATA}", *self.mounts) for word in ("--volume", mount)]
        options = ["--name", self.name, "--network", "host", "--pull", "never", *hardened(), *given, *mounts]
        podman("run", "--detach", *options, self.image)

    def restart(self) -> None:
        """Start it again after its end, with the same volume. Raises PodmanFailed."""
        podman("start", self.name)

    def kill(self) -> None:
        """SIGKILL to all its processes, and wait until they have ended."""
        podman("kill", "--signal", "KILL", self.name)
        podman("wait", self.name)

    def signal(self, name: str) -> None:
        """Send a signal to the daemon."""
        podman("kill", "--signal", name, self.name)

    def stop(self) -> int:
        """SIGTERM, and wait. Returns the exit code of the daemon."""
        podman("kill", "--signal", "TERM", self.name)
        return int(podman("wait", self.name))

    def remove(self) -> None:
        """End it, and delete it and its volume."""
        podman("rm", "--force", "--time", "0", self.name, accepted=(0, 1))
        podman("volume", "rm", "--force", self.name, accepted=(0, 1))

    def run(self, *words: str) -> tuple[int, str]:
        """Run a command in it. Returns its exit code and its output."""
        return exit_code("exec", self.name, *words)

    def is_healthy(self) -> bool:
        """What `podman healthcheck run` answers."""
        return exit_code("healthcheck", "run", self.name)[0] == 0

    def ready(self) -> tuple[int, dict[str, Any]]:
        """Status code and body of `/readyz`; 0 if nothing answers."""
        try:
            answer = httpx.get(f"{self.url}/readyz", timeout=5)
        except httpx.TransportError:
            return 0, {}
        return answer.status_code, json.loads(answer.text)

    def until_ready(self) -> None:
        """Return once it takes jobs. The error has its log."""
        try:
            until(lambda: self.ready()[0] == 200, "the worker is ready", READY_SECONDS, 0.2)
        except BaseException as error:
            error.add_note(self.log()[-3000:])
            raise

    def log(self) -> str:
        """What it has printed."""
        return exit_code("logs", self.name)[1]
