"""The README's first start, without a configuration: the worker runs, reports what is missing, and loses no job."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from pw_daemon.place import HEADLESS_SHELL
from pw_daemon.usual_modules import publish_usual

from pageworker_demo.loopback_server import free_port

pytestmark = [pytest.mark.browser, pytest.mark.sandbox, pytest.mark.redis, pytest.mark.timeout(240)]

SUBMIT = ("submit", "test.nap", "--tenant", "acme", "--payload", '{"seconds": 0}')
WORKERCTL = Path(sys.executable).with_name("workerctl")


@contextmanager
def started(environment: dict[str, str], words: bytes) -> Iterator[tuple["subprocess.Popen[bytes]", dict[str, Any]]]:
    """The daemon, and the first line of its log with this text."""
    daemon = subprocess.Popen(
        [sys.executable, "-m", "pageworker_supervisor.daemon"],
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    try:
        assert daemon.stdout is not None
        line = next(line for line in daemon.stdout if words in line)
        yield daemon, json.loads(line)
    finally:
        daemon.kill()
        daemon.communicate()


def workerctl(environment: dict[str, str], *words: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run([str(WORKERCTL), *words], capture_output=True, text=True, env={**os.environ, **environment})


def test_without_a_trusted_key_it_is_not_ready_and_jobs_wait(tmp_path: Path) -> None:
    tmp_path.chmod(0o711)
    data_dir = tmp_path / "data"
    environment = {
        "PAGEWORKER_WORKER__DATA_DIR": str(data_dir),
        "PAGEWORKER_REDIS__PORT": str(free_port()),
        "PAGEWORKER_HTTP__BIND": "127.0.0.1:0",
        "PAGEWORKER_BROWSER__EXECUTABLE": HEADLESS_SHELL["executable"],
    }
    with started(environment, b'"not ready"') as (daemon, line):
        assert line["level"] == "warning"
        assert "modules.trusted_keys" in line["reason"]
        assert httpx.get(f"http://{line['http']}/healthz").status_code == 200
        answer = httpx.get(f"http://{line['http']}/readyz")
        assert answer.status_code == 503
        assert answer.json()["state"] == "failing"
        assert "no trusted key" in answer.json()["reason"]
        assert "pageworker_ready 0.0" in httpx.get(f"http://{line['http']}/metrics").text
        shown = workerctl(environment, "status")
        assert shown.returncode == 1
        assert "no trusted key" in shown.stdout
        pushed = workerctl(environment, *SUBMIT)
        assert pushed.returncode == 0, pushed.stderr
        for words in (("drain",), ("resume",)):
            assert workerctl(environment, *words).returncode == 0
        while not (waiting := json.loads(workerctl(environment, "jobs", "--json").stdout)):
            pass
        assert [job["state"] for job in waiting] == ["queued"]
        daemon.send_signal(signal.SIGTERM)
        assert daemon.stdout is not None
        rest = daemon.stdout.read().decode()
        assert daemon.wait() == 0
        assert '"error"' not in rest
        assert "Traceback" not in rest
    key = publish_usual(data_dir / "registry")
    with started({**environment, "PAGEWORKER_MODULES__TRUSTED_KEYS": json.dumps([key])}, b'"ready"'):
        job = waiting[0]
        name = f"{job['tenant_id']}/{job['job_id']}"
        second = workerctl(environment, *SUBMIT, "--wait", "--wait-seconds", "90")
        assert second.returncode == 0, second.stdout + second.stderr
        first = workerctl(environment, "results", name, "--json")
        assert json.loads(first.stdout)["status"] == "succeeded", "it had only waited"
