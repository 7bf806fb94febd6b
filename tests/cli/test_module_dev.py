"""`workerctl module dev`: a module runs again on each save, on the runner of the run before, until Ctrl-C."""

import asyncio
import json
import os
import re
import signal
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from cli.test_module_run import WORKERCTL, runs
from pw_daemon.processes import below

from pageworker_supervisor.cli.module_dev import develop
from pageworker_supervisor.cli.output import CommandError

MANIFEST = """\
name = "acme.try"
version = "0.3.0"
entrypoint = "acme_try:handler"
sdk = ">=1,<2"
secrets = ["shop_login"]
"""
HANDLER = """\
import asyncio


async def handler(page, payload, helpers, context):
    print("it begins")
"""
BEGINS, WAITS = "it begins", "Waiting for a change"


@pytest.fixture
def module(tmp_path: Path) -> Path:
    folder = tmp_path / "acme.try"
    (folder / "acme_try").mkdir(parents=True)
    (folder / "module.toml").write_text(MANIFEST)
    save(folder, "return {'runner': context.runner_id, 'version': context.version}")
    return folder


def save(folder: Path, line: str) -> None:
    (folder / "acme_try" / "__init__.py").write_text(f"{HANDLER}    {line}\n")


class DevelopmentTerminal:
    """What the command prints, read as it comes."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process

    async def until(self, text: str) -> str:
        """Everything up to the line that has this text."""
        assert self.process.stdout is not None
        read = ""
        while text not in read:
            line = await self.process.stdout.readline()
            assert line, f"the command ended. It printed:\n{read}"
            read += line.decode()
        return read


@asynccontextmanager
async def developing(module: Path, *words: str) -> AsyncIterator[DevelopmentTerminal]:
    process = await asyncio.create_subprocess_exec(
        *(WORKERCTL, "module", "dev", str(module), *words),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        cwd=module.parent,
        env={**os.environ, "TMPDIR": str(module.parent)},
    )
    try:
        yield DevelopmentTerminal(process)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


def data_of(text: str) -> dict[str, Any]:
    found = json.loads(text[text.index("{") : text.rindex("}") + 1])
    assert isinstance(found, dict)
    return found


@pytest.mark.browser
@pytest.mark.sandbox
async def test_each_save_runs_the_module_again(module: Path) -> None:
    secrets = module.parent / "local.toml"
    secrets.touch(0o600)
    secrets.write_text('[secrets]\nshop_login = "correct-horse"\n')
    async with developing(module, "--secrets", str(secrets)) as terminal:
        first = await terminal.until(WAITS)
        assert "run 1: succeeded in" in first, first
        runner = data_of(first)
        assert runner["version"] == "0.3.0-dev.1"

        save(module, "return {'runner': context.runner_id, 'x': 1 / 0}")
        failed = await terminal.until(WAITS)
        assert "run 2: failed in" in failed
        assert "ZeroDivisionError: division by zero" in failed
        assert f"  {module}/acme_try/__init__.py:6 in handler\n      return {{'runner'" in failed
        (shot,) = re.findall("screenshot: (.*)", failed)
        assert Path(shot).is_relative_to(module / ".pageworker")
        assert Path(shot).read_bytes()[:3] == b"\xff\xd8\xff"

        save(module, "return {")
        assert "acme_try/__init__.py:6" in await terminal.until(WAITS)

        save(module, "await asyncio.Event().wait()")
        await terminal.until(BEGINS)
        save(module, "return {'runner': context.runner_id, 'length': len(await helpers.secret('shop_login'))}")
        assert "the run is ended" in await terminal.until("run 5: succeeded")
        assert data_of(await terminal.until(WAITS)) == {"runner": runner["runner"], "length": 13}, "the runner is warm"

        secrets.write_text('[secrets]\nshop_login = "another"\n')
        assert data_of(await terminal.until(WAITS))["length"] == 7

        started = below(terminal.process.pid)
        assert any("chrom" in command for command in started.values())
        terminal.process.send_signal(signal.SIGINT)
        async with asyncio.timeout(20):
            assert await terminal.until("ended")
            assert await terminal.process.wait() == 0
        assert {pid: command for pid, command in started.items() if runs(pid)} == {}
        assert list(module.parent.glob("pageworker-run-*")) == []


@pytest.mark.parametrize(
    ("display", "told"), [("", "neither DISPLAY nor WAYLAND_DISPLAY"), (":0", "--headed is not supported yet")]
)
def test_headed_is_refused_by_name(monkeypatch: pytest.MonkeyPatch, display: str, told: str) -> None:
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    monkeypatch.setenv("DISPLAY", display)
    with pytest.raises(CommandError, match=told):
        develop(Path("acme.prices"), headed=True)


def test_a_payload_of_stdin_is_refused() -> None:
    with pytest.raises(CommandError, match="reads stdin once"):
        develop(Path("acme.prices"), payload="-")


def test_a_secret_file_that_others_can_read_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "local.toml"
    file.write_text("[secrets]\n")
    file.chmod(0o644)
    with pytest.raises(CommandError, match="0644"):
        develop(Path("acme.prices"), secrets=file)
