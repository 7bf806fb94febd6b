"""`python -m status_screenshots`: pictures of the status page, from a real worker with the jobs of the demo."""

import argparse
import asyncio
import json
import secrets
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Literal

import httpx
from playwright.async_api import Page, async_playwright
from pw_runner.supervisor import HEADLESS_SHELL
from pw_servers.no_tls import NO_TLS
from rich.console import Console

from pageworker_demo.callback_receiver import DemoReceiver
from pageworker_demo.daemon import WITH_PARENT, running
from pageworker_demo.loopback_server import free_port, served
from pageworker_demo.queue_client import DemoQueueClient
from pageworker_demo.run import plain_redis, prepare, run_scenario, temporary_folder
from pageworker_demo.scenario import SHOP, scenario
from pageworker_demo.shop import Shop
from pageworker_demo.shop_data import PRODUCTS
from pageworker_demo.terminal import DemoTerminal
from pageworker_demo.workspace import Workspace
from pageworker_supervisor.access.token_admin import TokenAdmin
from pageworker_supervisor.config.settings import RedisSettings
from pageworker_supervisor.host.process_end import end_process
from pageworker_supervisor.queue import QueueClient
from pageworker_supervisor.redis_client import connect_embedded
from pageworker_supervisor.redis_client.users import PRODUCER
from pageworker_supervisor.rollouts.rollout_entry import NO_ENTRY, RolloutAuthor, encode_entry, start

SECONDS = 60
WIDTH = 1200
PICTURES: tuple[tuple[str, str, Literal["light", "dark"], int], ...] = (
    ("overview", "/", "light", 760),
    ("job", "/job?tenant_id=globex&job_id=failing", "light", 1240),
    ("jobs", "/jobs", "dark", 640),
)
"""Name of the file, page, colours, height."""


def main() -> int:
    """Take the pictures. Returns the exit code."""
    parser = argparse.ArgumentParser(prog="status_screenshots", description=__doc__)
    parser.add_argument("--folder", type=Path, default=Path(__file__).parents[2] / "docs" / "images")
    with temporary_folder() as folder:
        return asyncio.run(_pictures(folder, parser.parse_args().folder))


async def _pictures(folder: Path, to: Path) -> int:
    shop, receiver = Shop(), DemoReceiver(secrets.token_hex(32).encode())
    async with served(shop.app) as shop_port, served(receiver.app) as receiver_port:
        callbacks, port = f"http://127.0.0.1:{receiver_port}", free_port()
        workspace = Workspace(folder, http_port=free_port(), redis_port=free_port())
        await prepare(workspace, shop_port, callbacks, receiver.secret)
        with workspace.config_file.open("a") as config:
            config.write(f'\n[api]\nbind = "127.0.0.1:{port}"\n')
        async with running(workspace.config_file, workspace.http_port, workspace.log_file) as daemon:
            await daemon.until_ready()
            terminal = DemoTerminal(Console(stderr=True))
            problems = await run_scenario(workspace, daemon, scenario(callbacks), receiver, terminal)
            token = await _token(workspace)
            async with _api(workspace, port), _browser_page(port, token) as page:
                await _push_more(workspace)
                for name, path, colours, height in PICTURES:
                    await page.set_viewport_size({"width": WIDTH, "height": height})
                    await page.emulate_media(color_scheme=colours)
                    await page.goto(f"http://127.0.0.1:{port}{path}")
                    await page.wait_for_load_state("networkidle")
                    await page.screenshot(path=to / f"status-{name}.png")
        return 1 if problems else 0


async def _push_more(workspace: Workspace) -> None:
    """Jobs that run, wait and are delayed while the pictures are taken."""
    slow = {"endpoint_module": "shop.trouble", "payload": {"url": SHOP, "mode": "slow"}}
    sku = next(iter(PRODUCTS))
    late = {"endpoint_module": "shop.product", "payload": {"url": f"{SHOP}/products/{sku}"}, "delay_seconds": 600}
    groups = (("order", "acme", 4, slow), ("stock", "globex", 9, slow), ("nightly", "initech", 3, late))
    jobs = [
        {"job_id": f"{name}-{number}", "tenant_id": tenant, **fields}
        for name, tenant, count, fields in groups
        for number in range(count)
    ]
    async with plain_redis(workspace.redis_port, workspace.redis_login(PRODUCER)) as producer:
        for job in jobs:
            await DemoQueueClient(producer).push(json.dumps(job))
    # The report of the worker, which counts them, comes every ten seconds.
    await asyncio.sleep(12)


async def _token(workspace: Workspace) -> str:
    """A token of the fleet. A rollout is begun, too."""
    redis_client = connect_embedded(RedisSettings(), workspace.folder)
    queue = QueueClient(redis_client)
    try:
        author = RolloutAuthor("ada", "new layout of the shop", 1_800_000_000_000)
        entry = start(NO_ENTRY, "1", ("1.0.0", "1.1.0"), author, percent=10.0)
        await queue.rollouts.write("shop.product", 0, encode_entry(entry), b"{}")
        return (await TokenAdmin(queue.access_tokens).create(None, ["viewer"])).text
    finally:
        await redis_client.aclose()


@asynccontextmanager
async def _api(workspace: Workspace, port: int) -> AsyncIterator[None]:
    program = (sys.executable, "-m", "pageworker_supervisor.api.process", "--config", str(workspace.config_file))
    process = await asyncio.create_subprocess_exec(*WITH_PARENT, *program, stdout=subprocess.DEVNULL)
    try:
        async with asyncio.timeout(SECONDS), httpx.AsyncClient(trust_env=False, verify=NO_TLS) as client:
            # The readiness of another process is not an event that can be awaited.
            while not await _answers(client, port):  # noqa: ASYNC110 - see above
                await asyncio.sleep(0.1)
        yield
    finally:
        await asyncio.shield(end_process(process, SECONDS))


async def _answers(client: httpx.AsyncClient, port: int) -> bool:
    try:
        return (await client.get(f"http://127.0.0.1:{port}/readyz")).is_success
    except httpx.TransportError:
        return False


@asynccontextmanager
async def _browser_page(port: int, token: str) -> AsyncIterator[Page]:
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=HEADLESS_SHELL, args=["--no-sandbox"])
        page = await browser.new_page()
        await page.goto(f"http://127.0.0.1:{port}/")
        await page.fill("#token", token)
        await page.click("main button")
        await page.wait_for_url(f"http://127.0.0.1:{port}/")
        yield page
        await browser.close()


if __name__ == "__main__":
    sys.exit(main())
