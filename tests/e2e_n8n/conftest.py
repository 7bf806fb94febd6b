"""n8n and a worker with the example modules, all on loopback."""

import secrets
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from pw_n8n.server import ROOT, N8n
from pw_n8n.system import System

from pageworker_demo.daemon import running
from pageworker_demo.loopback_server import free_port, served
from pageworker_demo.queue_client import DemoQueueClient
from pageworker_demo.run import plain_redis
from pageworker_demo.shop import Shop
from pageworker_demo.workspace import Workspace, find_examples, publish
from pageworker_supervisor.redis_client.users import PRODUCER, READER

HERE = Path(__file__).parent


@pytest.fixture(scope="session")
def installed() -> None:
    subprocess.run([str(HERE / "install.sh"), str(ROOT)], check=True)


@pytest.fixture
async def system(installed: None, tmp_path: Path) -> AsyncIterator[System]:
    tmp_path.chmod(0o711)
    n8n = N8n(tmp_path / "n8n", free_port())
    n8n.folder.mkdir()
    workspace = Workspace(tmp_path / "worker", http_port=free_port(), redis_port=free_port())
    workspace.folder.mkdir(mode=0o711)
    workspace.secret_file.write_text(secrets.token_hex(32))
    key, _ = await publish(find_examples(), workspace.registry)
    async with served(Shop().app) as shop_port:
        workspace.configure(
            {
                "egress": {"hosts": {"shop.example": f"127.0.0.1:{shop_port}"}},
                "modules": {"registry": str(workspace.registry), "trusted_keys": [key]},
                "tenants": {
                    "acme": {
                        "callback_allow": [f"http://127.0.0.1:{n8n.port}/webhook-waiting/*"],
                        "callback_secret_file": str(workspace.secret_file),
                    }
                },
            }
        )
        async with running(workspace.config_file, workspace.http_port, workspace.log_file) as daemon:
            await daemon.until_ready()
            environment = n8n.environment
            n8n.import_flows(environment, workspace.redis_port, workspace.redis_login(PRODUCER))
            reader = plain_redis(workspace.redis_port, workspace.redis_login(READER))
            async with n8n.serving(environment) as url, reader as redis:
                yield System(n8n, url, DemoQueueClient(redis))
