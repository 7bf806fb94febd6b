"""The program `pageworker-api` as a process."""

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path

import httpx
from pw_servers import RedisServer
from pw_servers.no_tls import NO_TLS

from pageworker_supervisor.access.token_admin import TokenAdmin
from pageworker_supervisor.config.settings import RedisSettings
from pageworker_supervisor.queue import QueueClient
from pageworker_supervisor.redis_client import connect

PROGRAM = (sys.executable, "-m", "pageworker_supervisor.api.process")
SECONDS = 60


def run(tmp_path: Path, text: str) -> tuple[int, str]:
    """Exit code and stderr of a start that fails."""
    config = tmp_path / "pageworker.toml"
    config.write_text(text)
    done = subprocess.run((*PROGRAM, "--config", config), capture_output=True, text=True, timeout=SECONDS, check=False)
    return done.returncode, done.stderr


async def test_a_job_through_the_program(live_redis: RedisServer, tmp_path: Path) -> None:
    redis_client = connect(RedisSettings(url=live_redis.url))
    queue = QueueClient(redis_client)
    token = await TokenAdmin(queue.access_tokens).create("acme", ["producer"])
    config = tmp_path / "pageworker.toml"
    config.write_text(f'[redis]\nurl = "{live_redis.url}"\n[api]\nbind = "127.0.0.1:0"\n')
    program = await asyncio.create_subprocess_exec(
        *PROGRAM, "--config", str(config), stdout=subprocess.PIPE, env={"PATH": os.environ["PATH"]}
    )
    assert program.stdout is not None
    async with asyncio.timeout(SECONDS):
        while b"the API is ready" not in (line := await program.stdout.readline()):
            assert line, "it ended"
        port = int(line.partition(b"127.0.0.1:")[2].partition(b'"')[0])
        async with httpx.AsyncClient(trust_env=False, verify=NO_TLS, base_url=f"http://127.0.0.1:{port}") as client:
            job = {"job_id": "1", "endpoint_module": "shop.product"}
            bearer = {"Authorization": f"Bearer {token.text}"}
            assert (await client.post("/v1/jobs", json=job, headers=bearer)).status_code == 202
            assert (await client.get("/v1/whoami", headers=bearer)).json()["token_id"] == token.token_id
            wrong = {"Authorization": f"Bearer {token.text[:-1]}{'0' if token.text[-1] != '0' else '1'}"}
            assert (await client.post("/v1/jobs", json=job, headers=wrong)).status_code == 401
        assert (await queue.inspection.jobs()).jobs[0].tenant_id == "acme"
        program.send_signal(signal.SIGTERM)
        assert await program.wait() == 0
    await redis_client.aclose()


def test_without_an_address_it_does_not_start(tmp_path: Path) -> None:
    assert run(tmp_path, "") == (
        2,
        'api.bind is not set, so there is no API; set it, e.g. api.bind = "127.0.0.1:9480"\n',
    )
