"""Runs the daemon as a separate process, as an operator does."""

import asyncio
import contextlib
import os
import sys
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from pageworker_supervisor.config.environment import PREFIX
from pageworker_supervisor.host.process_end import end_process

START_SECONDS = 60.0
STOP_SECONDS = 20.0
ASK_AGAIN_SECONDS = 0.05
LOG_TAIL_LINES = 15
WITH_PARENT = ("setpriv", "--pdeathsig", "TERM")
"""If this process is killed, the kernel sends SIGTERM to the daemon. Source: PR_SET_PDEATHSIG in prctl(2)."""


class DaemonFailed(Exception):
    """The daemon ended, or did not get ready in time. The text has the end of its log."""


@dataclass(frozen=True)
class Daemon:
    """A running daemon. `url` is its operator endpoint."""

    process: asyncio.subprocess.Process
    url: str
    log_file: Path

    async def until_ready(self) -> None:
        """Return once the daemon takes jobs. Raises DaemonFailed."""
        async with httpx.AsyncClient() as client:
            try:
                async with asyncio.timeout(START_SECONDS):
                    await self._ask(client)
            except TimeoutError:
                raise DaemonFailed(
                    f"The worker was not ready after {START_SECONDS:g} s. The end of its log:\n{self.log_tail()}"
                ) from None

    async def _ask(self, client: httpx.AsyncClient) -> None:
        while True:
            if await self._is_ready(client):
                return
            # The readiness of another process is not an event that can be awaited.
            await asyncio.sleep(ASK_AGAIN_SECONDS)

    async def _is_ready(self, client: httpx.AsyncClient) -> bool:
        if self.process.returncode is not None:
            raise DaemonFailed(
                f"The worker ended with exit code {self.process.returncode}. The end of its log:\n{self.log_tail()}"
            )
        try:
            return (await client.get(f"{self.url}/readyz")).is_success
        except httpx.TransportError:
            return False

    async def status(self) -> dict[str, Any]:
        """The answer to `GET /status`."""
        async with httpx.AsyncClient() as client:
            answer: dict[str, Any] = (await client.get(f"{self.url}/status")).raise_for_status().json()
            return answer

    def log_tail(self) -> str:
        """The end of its log."""
        with contextlib.suppress(FileNotFoundError):
            return "\n".join(self.log_file.read_text(errors="replace").splitlines()[-LOG_TAIL_LINES:])
        return ""


@contextlib.asynccontextmanager
async def running(
    config_file: Path, http_port: int, log_file: Path, environment: Mapping[str, str] = {}
) -> AsyncIterator[Daemon]:
    """Start the daemon. It has ended when the block is left.

    `environment`: variables to add. The settings of another worker in the caller's environment do not apply to it.
    """
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(PREFIX)}
    with log_file.open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            *WITH_PARENT,
            *(sys.executable, "-m", "pageworker_supervisor.daemon", "--config", str(config_file)),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=log,
            stderr=asyncio.subprocess.STDOUT,
            env={**inherited, **environment},
            # Ctrl-C in the terminal reaches only this process, which then stops the daemon with SIGTERM.
            start_new_session=True,
        )
    try:
        yield Daemon(process, f"http://127.0.0.1:{http_port}", log_file)
    finally:
        await asyncio.shield(end_process(process, STOP_SECONDS))
