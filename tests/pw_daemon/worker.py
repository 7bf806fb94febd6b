"""The daemon as a process that can be killed at any moment."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
from pw_servers.no_tls import NO_TLS

from pageworker_supervisor.admin.control_client import WorkerClient
from pageworker_supervisor.admin.status import StatusReport


class DaemonProcess:
    """`pageworker --config FILE`, its log in a file."""

    def __init__(self, config: Path, data_dir: Path, prefix: Sequence[str] = ()) -> None:
        """`prefix`: a program and its arguments that become the daemon, e.g. as another user."""
        self._prefix = prefix
        self.config = config
        self.data_dir = data_dir
        self.log_file = data_dir / "daemon.log"
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it (again) and wait until it takes jobs."""
        with self.log_file.open("ab") as log:
            begin = log.tell()
            self.process = subprocess.Popen(
                [*self._prefix, sys.executable, "-m", "pageworker_supervisor.daemon", "--config", str(self.config)],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
                start_new_session=True,
            )
        assert self.process.stdout is not None
        # The log is read until the daemon is ready. After that `tee` alone reads it.
        with self.log_file.open("ab") as log:
            for line in self.process.stdout:
                log.write(line)
                if (b'"ready"' in line and b'"message"' in line) or b" INFO    ready  " in line:
                    break
            else:
                self.process.stdout.close()
                raise AssertionError(f"the daemon ended: {self.log_file.read_bytes()[begin:].decode()[-3000:]}")
        self._follow()

    def _follow(self) -> None:
        assert self.process is not None
        assert self.process.stdout is not None
        # `tee` goes when the pipe closes, with the daemon.
        self._tee = subprocess.Popen(
            ["tee", "-a", str(self.log_file)], stdin=self.process.stdout, stdout=subprocess.DEVNULL
        )
        self.process.stdout.close()

    @property
    def pid(self) -> int:
        """Of the daemon."""
        assert self.process is not None
        return self.process.pid

    def status(self) -> StatusReport:
        """The status, over the control socket."""
        return WorkerClient(self.data_dir).status()

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the daemon alone."""
        os.kill(self.pid, number)

    def terminate(self, seconds: float = 40.0) -> int:
        """SIGTERM, and its exit code."""
        assert self.process is not None
        self.process.terminate()
        code = self.process.wait(seconds)
        self._tee.wait(5)
        return code

    def kill(self) -> None:
        """SIGKILL, if it still runs."""
        if self.process is not None and self.process.poll() is None:
            with suppress(ProcessLookupError):
                self.process.kill()
        if self.process is not None:
            self.process.wait(10)
            with suppress(AttributeError):
                self._tee.wait(5)

    def log(self) -> list[dict[str, Any]]:
        """The lines of its log so far, without a line that is half written."""
        return [
            json.loads(line)
            for line in self.log_file.read_text().rpartition("\n")[0].splitlines()
            if line.startswith("{")
        ]

    def get(self, path: str) -> httpx.Response:
        """One of the operator's endpoints."""
        (ready,) = [line for line in self.log() if line.get("message") == "ready"][-1:]
        return httpx.get(f"http://{ready['http']}{path}", timeout=10, verify=NO_TLS)
