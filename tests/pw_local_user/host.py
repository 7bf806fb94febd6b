"""The daemon with every default: started by root, with the embedded Redis.

It has done some work when tests see it, so that there is something to steal: a result, a profile, a dead letter.
"""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from pw_daemon.place import HEADLESS_SHELL
from pw_daemon.usual_modules import publish_usual
from pw_daemon.worker import DaemonProcess

from pageworker_demo.loopback_server import free_port
from pageworker_demo.toml import toml_text

SECRET = "a payload that only its tenant may read"
JOB_ID = "private-1"


@dataclass(frozen=True)
class LocalUserHost:
    """One host. `http` is host:port of the operator's endpoint."""

    daemon: DaemonProcess
    data_dir: Path
    redis_port: int

    @property
    def http(self) -> str:
        """The address where it listens."""
        return str([line for line in self.daemon.log() if line.get("message") == "ready"][-1]["http"])

    def workerctl(self, *words: str) -> subprocess.CompletedProcess[str]:
        """With the permissions of the daemon's user."""
        return subprocess.run(
            [str(Path(sys.executable).with_name("workerctl")), *words, "--config", str(self.daemon.config)],
            capture_output=True,
            text=True,
            check=False,
        )


@contextmanager
def default_daemon(
    data_dir: Path | None = None, *, prefix: Sequence[str] = (), user: int | None = None
) -> Iterator[LocalUserHost]:
    """A daemon with the embedded Redis that has answered one job. It ends with the block.

    `data_dir`: an existing folder. `prefix`: as in DaemonProcess. `user`: owner of a new data folder.
    """
    with tempfile.TemporaryDirectory(prefix="pw-local-", ignore_cleanup_errors=True) as temporary:
        folder = Path(temporary)
        folder.chmod(0o711)  # as /var/lib: others may pass through
        key = publish_usual(folder / "registry")
        port = free_port()
        if data_dir is None:
            data_dir = folder / "pageworker"
            data_dir.mkdir(mode=0o711)
            if user is not None:
                os.chown(data_dir, user, user)
        config = folder / "pageworker.toml"
        config.write_text(
            toml_text(
                {
                    "redis": {"port": port},
                    "worker": {"id": "w1", "data_dir": str(data_dir), "drain_seconds": 5},
                    "http": {"bind": "127.0.0.1:0"},
                    "modules": {"registry": str(folder / "registry"), "trusted_keys": [key]},
                    "pool": {"runners": 1, "pages": 1},
                    "browser": HEADLESS_SHELL,
                    "tenants": {"*": {}},
                }
            )
        )
        daemon = DaemonProcess(config, folder, prefix)
        try:
            daemon.start()
            host = LocalUserHost(daemon, data_dir, port)
            payload = f'{{"ms": 1, "secret": "{SECRET}"}}'
            words = (
                "submit",
                "test.nap",
                "--tenant",
                "acme",
                "--job-id",
                JOB_ID,
                "--profile",
                "p1",
                "--payload",
                payload,
            )
            done = host.workerctl(*words, "--wait")
            assert done.returncode == 0, done.stdout + done.stderr
            yield host
        finally:
            daemon.kill()
