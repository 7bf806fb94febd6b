"""If Redis or the worker accepts connections but does not answer, commands report it within seconds, with exit code
3."""

import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from pathlib import Path

import pytest
from cli.commands import COMMAND_LINES
from pw_servers import redis_server

from pageworker_supervisor.admin.control_socket import CONTROL_SOCKET
from pageworker_supervisor.admin.server import bind_unix
from pageworker_supervisor.audit.key_file import KEY_FILE, read_or_make_key
from pageworker_supervisor.cli.reference import NEEDS

WORKERCTL = Path(sys.executable).with_name("workerctl")
LONGEST_SECONDS = 60.0
QUEUE_COMMANDS = (
    *(line for command, line in COMMAND_LINES.items() if NEEDS[command] == "Redis"),
    *("jobs --json", "results", "results acme/1", "submit a.b", "doctor", "config show"),
)
USEFUL = {"doctor": 1, "config show": 0}
"""Commands that can say something without Redis, with their exit codes."""
WORKER_COMMANDS = tuple(line for command, line in COMMAND_LINES.items() if NEEDS[command] == "worker")
LONGEST_ANSWER_SECONDS = 2.0

pytestmark = pytest.mark.redis

Ended = dict[str, "subprocess.CompletedProcess[str]"]


def run_all(commands: Mapping[str, tuple[str, Path]]) -> Ended:
    """Run all commands at the same time, because each only waits. `commands` has command and configuration by case."""
    started = {
        case: subprocess.Popen(
            [str(WORKERCTL), *command.split(), "--config", str(config)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=config.parent,
        )
        for case, (command, config) in commands.items()
    }
    ended: Ended = {}
    for command, process in started.items():
        said, complained = process.communicate(timeout=LONGEST_SECONDS)
        ended[command] = subprocess.CompletedProcess(command, process.returncode, said, complained)
    return ended


@pytest.fixture(scope="module")
def on_frozen_redis(tmp_path_factory: pytest.TempPathFactory) -> Ended:
    """A Redis stopped by SIGSTOP: its port accepts connections, and it does not answer."""
    folder = tmp_path_factory.mktemp("frozen")
    config = folder / "pageworker.toml"
    (folder / "state.json").write_text(
        '{"cookies": [{"name": "a", "value": "b", "domain": "x.test", "path": "/"}]}'
    )  # a command reads its file first
    read_or_make_key(folder / KEY_FILE)  # without its key, the audit log is not even looked for
    with redis_server() as server:
        config.write_text(f'[redis]\nurl = "{server.url}"\n[worker]\ndata_dir = "{folder}"\n')
        os.kill(server.pid, signal.SIGSTOP)
        try:
            return run_all({command: (command, config) for command in QUEUE_COMMANDS})
        finally:
            os.kill(server.pid, signal.SIGCONT)


@pytest.fixture(scope="module")
def on_frozen_worker(tmp_path_factory: pytest.TempPathFactory) -> Ended:
    """A worker whose socket accepts connections without answering. The drain gets one line before that."""
    silent, amid = tmp_path_factory.mktemp("frozen"), tmp_path_factory.mktemp("amid")
    with bind_unix(silent / CONTROL_SOCKET), bind_unix(amid / CONTROL_SOCKET) as listener:
        told = threading.Event()
        thread = threading.Thread(target=say_one_line, args=(listener, told))
        thread.start()
        commands = {command: (command, configured(silent)) for command in WORKER_COMMANDS}
        ended = run_all({**commands, "amid a drain": ("drain", configured(amid))})
        told.set()
        thread.join()
    return ended


def say_one_line(listener: socket.socket, told: threading.Event) -> None:
    """Answer one drain request with a single line, then stay silent until `told` is set."""
    line = b'{"event":"waiting","job_id":"j1","tenant_id":"acme"}\n'
    listener.setblocking(True)
    answer_status(listener)
    knock, _ = listener.accept()
    connection, _ = listener.accept()
    with knock, connection:
        connection.recv(65536)
        connection.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        connection.sendall(b"%x\r\n" % len(line) + line + b"\r\n")
        told.wait()


def answer_status(listener: socket.socket) -> None:
    """Answer one request for the status, as a drain makes before its own."""
    report = (
        b'{"state":"ready","reason":"","worker_id":"w","version":"0","uptime_seconds":1,'
        b'"redis":{"connected":true,"url":""}}'
    )
    knock, _ = listener.accept()
    connection, _ = listener.accept()
    with knock, connection:
        connection.recv(65536)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(report) + report)


def configured(folder: Path) -> Path:
    config = folder / "pageworker.toml"
    config.write_text(f'[worker]\ndata_dir = "{folder}"\n')
    return config


@pytest.mark.parametrize("command", [command for command in QUEUE_COMMANDS if command not in USEFUL])
def test_every_command_reports_a_frozen_redis(on_frozen_redis: Ended, command: str) -> None:
    done = on_frozen_redis[command]
    assert done.returncode == 3, done.stderr
    assert done.stdout == ""
    assert re.search("(does not|no) answer within 1 s", done.stderr)
    assert "redis://127.0.0.1" in done.stderr


@pytest.mark.parametrize(("command", "code"), USEFUL.items())
def test_some_commands_say_what_they_can_without_redis(on_frozen_redis: Ended, command: str, code: int) -> None:
    done = on_frozen_redis[command]
    assert done.returncode == code
    assert done.stdout
    assert "does not answer within 1 s" in done.stdout + done.stderr


def test_doctor_reports_a_frozen_redis(on_frozen_redis: Ended) -> None:
    assert "FAIL  redis" in on_frozen_redis["doctor"].stdout


@pytest.mark.parametrize("command", WORKER_COMMANDS)
def test_every_command_reports_a_frozen_worker(on_frozen_worker: Ended, command: str) -> None:
    done = on_frozen_worker[command]
    assert done.returncode == 3
    assert "did not answer" in done.stderr


def test_a_worker_that_freezes_during_a_drain_is_reported(on_frozen_worker: Ended) -> None:
    done = on_frozen_worker["amid a drain"]
    assert done.returncode == 3
    assert done.stdout.startswith("waiting ")


@pytest.mark.exclusive  # it measures time: beside other tests, Python alone may take longer to start
def test_a_frozen_redis_or_worker_is_reported_within_two_seconds(tmp_path: Path) -> None:
    config = tmp_path / "pageworker.toml"
    with redis_server() as server, bind_unix(tmp_path / CONTROL_SOCKET):
        config.write_text(f'[redis]\nurl = "{server.url}"\n[worker]\ndata_dir = "{tmp_path}"\n')
        os.kill(server.pid, signal.SIGSTOP)
        try:
            seconds = {line: fastest(line, config) for line in ("jobs", "status")}
        finally:
            os.kill(server.pid, signal.SIGCONT)
    assert max(seconds.values()) < LONGEST_ANSWER_SECONDS, seconds


def fastest(line: str, config: Path) -> float:
    """The seconds that a command takes until it reports what is frozen, the best of three or the first good one."""
    took = [float("inf")]
    while min(took) > LONGEST_ANSWER_SECONDS and len(took) <= 3:
        begun = time.monotonic()
        done = run_all({line: (line, config)})[line]
        took.append(time.monotonic() - begun)
        assert done.returncode == 3
    return min(took)
