"""The daemon as a process of its own, as an operator starts it."""

import asyncio
import contextlib
import os
import sys
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

START_SECONDS = 60.0
STOP_SECONDS = 20.0
ASK_AGAIN_SECONDS = 0.05
LAST_WORDS = 15
WITH_PARENT = ("setpriv", "--pdeathsig", "TERM")
"""Where we are killed, the daemon is told to stop by the kernel. Source: PR_SET_PDEATHSIG in prctl(2)."""


class DaemonFailed(Exception):
    """The daemon ended, or did not get ready. Says what it logged last."""


@dataclass(frozen=True)
class Daemon:
    """A running daemon. `url` is its operator's endpoint."""

    process: asyncio.subprocess.Process
    url: str
    log_file: Path

    async def until_ready(self) -> None:
        """Return once it takes jobs. Raises DaemonFailed."""
        async with httpx.AsyncClient() as client:
            try:
                async with asyncio.timeout(START_SECONDS):
                    await self._ask(client)
            except TimeoutError:
                raise DaemonFailed(f"not ready after {START_SECONDS:g} s:\n{self.last_words()}") from None

    async def _ask(self, client: httpx.AsyncClient) -> None:
        while True:
            if await self._is_ready(client):
                return
            # Another process's readiness is no event that could be waited for.
            await asyncio.sleep(ASK_AGAIN_SECONDS)

    async def _is_ready(self, client: httpx.AsyncClient) -> bool:
        if self.process.returncode is not None:
            raise DaemonFailed(f"ended with {self.process.returncode}:\n{self.last_words()}")
        try:
            return (await client.get(f"{self.url}/readyz")).is_success
        except httpx.TransportError:
            return False

    async def status(self) -> dict[str, Any]:
        """What `GET /status` says."""
        async with httpx.AsyncClient() as client:
            answer: dict[str, Any] = (await client.get(f"{self.url}/status")).raise_for_status().json()
            return answer

    def last_words(self) -> str:
        """The end of its log."""
        with contextlib.suppress(FileNotFoundError):
            return "\n".join(self.log_file.read_text(errors="replace").splitlines()[-LAST_WORDS:])
        return ""


@contextlib.asynccontextmanager
async def running(
    config_file: Path, http_port: int, log_file: Path, environment: Mapping[str, str] = {}
) -> AsyncIterator[Daemon]:
    """Start the daemon; it is gone when the block is left."""
    with log_file.open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            *WITH_PARENT,
            *(sys.executable, "-m", "pageworker_supervisor.daemon", "--config", str(config_file)),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=log,
            stderr=asyncio.subprocess.STDOUT,
            env={**os.environ, **environment},
            # A Ctrl-C at the terminal is ours; the daemon hears of it as an orderly SIGTERM.
            start_new_session=True,
        )
    try:
        yield Daemon(process, f"http://127.0.0.1:{http_port}", log_file)
    finally:
        await asyncio.shield(_end(process))


async def _end(process: asyncio.subprocess.Process) -> None:
    if process.returncode is not None:
        return
    process.terminate()
    try:
        async with asyncio.timeout(STOP_SECONDS):
            await process.wait()
    except TimeoutError:
        process.kill()
        await process.wait()
