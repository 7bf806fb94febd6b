"""A real supervisord for tests, with the shipped files of deploy/supervisord."""

import configparser
import contextlib
import json
import os
import queue
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
SHIPPED = ROOT / "deploy" / "supervisord"
BIN = Path(sys.executable).parent
LISTENER = "eventlistener:pageworker-listener"
WORKER = "program:pageworker"

Overrides = Mapping[str, Mapping[str, str]]
"""By section: options in place of the shipped ones."""


def shipped(*names: str) -> configparser.RawConfigParser:
    """The sections of these files, as supervisord reads them."""
    found = configparser.RawConfigParser(inline_comment_prefixes=(" ;",))
    for name in names:
        found.read_string((SHIPPED / name).read_text(), name)
    return found


def with_config(config: Path, **options: str) -> Overrides:
    """Worker and listener of this environment, with this configuration. `options` are those of the worker."""
    words = f"--config {config}"
    return {
        WORKER: {"command": f"{BIN}/pageworker {words}", **options},
        LISTENER: {"command": f"{BIN}/pageworker-supervisord-listener {words}"},
    }


class Supervisord:
    """`supervisord -n`, its control socket and its logs in `folder`. The listener's lines can be waited for."""

    def __init__(self, folder: Path, config: Path) -> None:
        self.folder = folder
        self._config = config
        self._heard: queue.SimpleQueue[dict[str, Any] | None] = queue.SimpleQueue()
        self.lines: list[dict[str, Any]] = []
        """What the listener has logged, up to the last line that a test has waited for."""
        self._waited: dict[str, int] = {}
        self.ended_log = ""
        """The end of its own log, once it has ended."""
        self.process = subprocess.Popen(
            [BIN / "supervisord", "-n", "-c", config],
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            if line.startswith(b"{"):
                self._heard.put(json.loads(line))
        self._heard.put(None)

    def wait_for(self, state: str, seconds: float = 100.0, process: str = "pageworker") -> dict[str, Any]:
        """The listener's next line with this process and state, after the last one that was waited for."""
        until = time.monotonic() + seconds
        while True:
            for number, line in enumerate(self.lines):
                found = (line.get("process"), line.get("state")) == (process, state)
                if found and number > self._waited.get(process, -1):
                    self._waited[process] = number
                    return line
            try:
                heard = self._heard.get(timeout=max(0.0, until - time.monotonic()))
            except queue.Empty:
                raise AssertionError(
                    f"{process} is not {state} after {seconds} s: {self.lines}\n{self.log()}"
                ) from None
            assert heard is not None, f"supervisord has ended:\n{self.log()}"
            self.lines.append(heard)

    def states(self, process: str = "pageworker") -> list[str]:
        """All states of a process, as far as the listener's lines are read."""
        return [line["state"] for line in self.lines if line.get("process") == process]

    def control(self, *words: str, code: int = 0, seconds: float = 90.0) -> str:
        """`supervisorctl`, its exit code checked. What it prints."""
        command = [str(BIN / "supervisorctl"), "-c", str(self._config), *words]
        done = subprocess.run(command, cwd=self.folder, capture_output=True, text=True, timeout=seconds, check=False)
        assert done.returncode == code, f"{words}: {done.stdout}{done.stderr}\n{self.log()}"
        return done.stdout

    def output(self, name: str = "pageworker.log") -> str:
        """The log of a process."""
        return (self.folder / name).read_text()

    def log(self) -> str:
        """The end of supervisord's own log."""
        with contextlib.suppress(FileNotFoundError):
            return self.output("supervisord.log")[-3000:]
        return ""

    def end(self) -> None:
        """SIGTERM: it stops its programs and ends."""
        self.process.terminate()
        self.process.wait(100)
        self._reader.join(10)
        self.ended_log = self.log()
        while (line := self._heard.get()) is not None:
            self.lines.append(line)
        assert self.process.stderr is not None
        self.process.stderr.close()


@contextlib.contextmanager
def supervisord(
    *files: str, overrides: Overrides, environment: Mapping[str, str] | None = None
) -> Iterator[Supervisord]:
    """It runs for the block with these shipped files and the listener. Everything is in a temporary folder."""
    with tempfile.TemporaryDirectory(prefix="pw-supervisord-") as name:
        folder = Path(name)
        config = folder / "supervisord.conf"
        with config.open("w") as file:
            _sections(folder, files, overrides).write(file)
        running = Supervisord(folder, config)
        try:
            yield running
        finally:
            running.end()


def _sections(folder: Path, files: tuple[str, ...], overrides: Overrides) -> configparser.RawConfigParser:
    sections = shipped(*files, "pageworker-listener.conf")
    for section in sections.sections():
        for option, value in sections.items(section):
            if option.endswith("_logfile"):
                sections.set(section, option, str(folder / Path(value).name))
        if os.geteuid() != 0:
            sections.remove_option(section, "user")
    socket = folder / "supervisor.sock"
    sections.read_dict(
        {
            "supervisord": {"logfile": str(folder / "supervisord.log"), "pidfile": str(folder / "supervisord.pid")},
            "unix_http_server": {"file": str(socket)},
            "supervisorctl": {"serverurl": f"unix://{socket}"},
            "rpcinterface:supervisor": {
                "supervisor.rpcinterface_factory": "supervisor.rpcinterface:make_main_rpcinterface"
            },
            LISTENER: {
                "environment": 'PAGEWORKER_LOG__LEVEL="debug"',
                "stderr_logfile": "/dev/fd/2",
                "stderr_logfile_maxbytes": "0",
                "startsecs": "0",
            },
        }
    )
    sections.read_dict(overrides)
    return sections
