"""What a newcomer types from the README leads to the first result, in the order in which it stands there."""

import asyncio
import json
import os
import re
import shlex
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from pw_daemon.place import HEADLESS_SHELL
from starlette.applications import Starlette
from starlette.responses import HTMLResponse
from starlette.routing import Route

from pageworker_demo.loopback_server import free_port, served
from pageworker_supervisor.admin.control_client import WorkerClient

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()

pytestmark = [pytest.mark.redis, pytest.mark.browser, pytest.mark.sandbox, pytest.mark.timeout(240)]


def section(title: str) -> str:
    """The text below a heading."""
    return README.partition(f"\n## {title}\n")[2].partition("\n## ")[0]


def typed(text: str) -> list[str]:
    """The lines of the shell blocks, in order."""
    return [line for block in re.findall(r"^```sh\n(.*?)^```", text, re.M | re.S) for line in block.splitlines()]


class Newcomer:
    """Types lines into a shell in a folder that looks like a checkout."""

    def __init__(self, folder: Path, environment: dict[str, str], redis_port: int, api_port: int) -> None:
        self.folder = folder
        self.exported: list[str] = []
        self._environment = {**os.environ, **environment}
        self._ports = {"-p 6399": f"-p {redis_port}", "127.0.0.1:9480": f"127.0.0.1:{api_port}"}

    def types(self, line: str) -> str:
        """What the line prints. It has to succeed."""
        if line.startswith("export "):
            self.exported.append(line)
            return ""
        done = subprocess.run(
            ["bash", "-ec", "\n".join([*map(self.here, self.exported), self.here(line)])],
            cwd=self.folder,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, (line, done.stdout, done.stderr)
        return done.stdout

    def here(self, line: str) -> str:
        """The line as this host can run it: example.com is a site of this test, and the ports may be taken."""
        for shown, own in self._ports.items():
            line = line.replace(shown, own)
        return line.replace("https://example.com", "http://example.com")

    @contextmanager
    def runs(self, line: str) -> Iterator[subprocess.Popen[bytes]]:
        """The line in the foreground of another shell, until the end of the block."""
        words = shlex.split(line)
        process = subprocess.Popen(
            words, cwd=self.folder, env=self._environment, stdout=subprocess.PIPE, start_new_session=True
        )
        try:
            yield process
        finally:
            process.send_signal(signal.SIGTERM)
            process.communicate(timeout=60)


def follow(folder: Path, port: int) -> None:
    """The README from its first job to the one over HTTP."""
    redis_port, api_port = free_port(), free_port()
    newcomer = Newcomer(
        folder,
        {
            "WORKERCTL_KEY_PASSWORD": "typed by a newcomer",
            "PAGEWORKER_EGRESS__HOSTS": json.dumps({"example.com": f"127.0.0.1:{port}"}),
            "PAGEWORKER_WORKER__DATA_DIR": str(folder / "data"),
            "PAGEWORKER_REDIS__PORT": str(redis_port),
            "PAGEWORKER_HTTP__BIND": "127.0.0.1:0",
            "PAGEWORKER_BROWSER__EXECUTABLE": HEADLESS_SHELL["executable"],
        },
        redis_port,
        api_port,
    )
    first = section("Run your first job")
    lines = typed(first)
    assert lines[0] == "./install.sh"
    start = next(line for line in lines if line.startswith(".venv/bin/pageworker "))
    for line in lines[1 : lines.index(start)]:
        if "doctor" in line:
            (toml,) = re.findall(r"Save this as `pageworker.toml`.*?```toml\n(.*?)^```", first, re.M | re.S)
            (folder / "pageworker.toml").write_text(toml)
        printed = newcomer.types(line)
        if " module new " in line:
            example = folder / "acme.prices" / "input.example.json"
            example.write_text(newcomer.here(example.read_text()))
        if " module run " in line:
            assert json.loads(printed)["data"]["title"] == "Example Domain"
    with newcomer.runs(start) as worker:
        assert worker.stdout is not None
        assert any(b'"ready"' in line for line in worker.stdout)
        for line in lines[lines.index(start) + 1 :]:
            printed = newcomer.types(line)
        assert json.loads(printed)["data"]["title"] == "Example Domain"
        redis_part, http_part = section("Push jobs from elsewhere").split("\nOver HTTP: ")
        *pushes, read = typed(redis_part)
        for line in pushes:
            newcomer.types(line)
        while not (printed := newcomer.types(read)).strip():
            assert worker.poll() is None
        assert json.loads(printed)["status"] == "succeeded"
        assert WorkerClient(folder / "data").status().state == "ready"
    (api,) = re.findall(r"```toml\n(.*?)^```", http_part, re.M | re.S)
    with (folder / "pageworker.toml").open("a") as config:
        config.write(newcomer.here(api))
    with newcomer.runs(start) as worker:
        assert worker.stdout is not None
        assert any(b'"ready"' in line for line in worker.stdout)
        while subprocess.run(["curl", "-sf", f"http://127.0.0.1:{api_port}/readyz"], check=False).returncode:
            assert worker.poll() is None
        for line in typed(http_part):
            printed = newcomer.types(line)
        assert json.loads(printed)["data"]["title"] == "Example Domain"


async def test_the_readme_leads_to_the_first_result_as_it_stands(tmp_path: Path) -> None:
    async def page(_: object) -> HTMLResponse:
        return HTMLResponse("<title>Example Domain</title><h1>Example</h1>")

    (tmp_path / ".venv").symlink_to(ROOT / ".venv")
    tmp_path.chmod(0o711)
    async with served(Starlette(routes=[Route("/", page)])) as port:
        await asyncio.to_thread(follow, tmp_path, port)


def test_a_module_exists_before_the_readme_pushes_a_job() -> None:
    published = README.index("workerctl module publish acme.prices")
    pushes = [match.start() for match in re.finditer(r"RPUSH|workerctl submit|JSON\.stringify", README)]
    assert len(pushes) == 3
    assert min(pushes) > published
