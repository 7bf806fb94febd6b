"""Each module runs in the flavor of the browser that it asks for, and waits visibly where a worker lacks it."""

import asyncio
import json
from contextlib import aclosing
from pathlib import Path
from typing import Any

import pytest
from pw_daemon import HEADLESS_SHELL, Producer, place, write_module

pytestmark = [pytest.mark.browser, pytest.mark.sandbox, pytest.mark.redis, pytest.mark.timeout(240)]

# The headless shell has no PDF viewer.
LOOK = 'return {"pdf": await page.evaluate("navigator.pdfViewerEnabled"), "runner": context.runner_id}'


def job(job_id: str, module: str, **fields: Any) -> str:
    return json.dumps({"job_id": job_id, "tenant_id": "acme", "endpoint_module": module, "max_retries": 0, **fields})


def modules(folder: Path) -> list[Path]:
    return [
        write_module(folder, "flavor.auto", LOOK),
        *(
            write_module(folder, f"flavor.{name}", LOOK, more_toml=f'\n[browser]\nflavor = "{name}"\n')
            for name in ("full", "shell")
        ),
    ]


async def test_a_page_runs_in_the_flavor_that_its_module_asks_for(tmp_path: Path) -> None:
    async with place(*modules(tmp_path)) as here, aclosing(Producer(here.redis.url)) as producer:
        with here.worker(pool={"runners": 3, "pages": 1, "residency_seconds": 0.1}):
            for module in ("auto", "full", "shell", "full", "shell", "auto"):
                number = len(producer.results)
                await producer.push(job(f"{module}-{number}", f"flavor.{module}"))
                await producer.collect(number + 1, 60)
            await producer.push(job("profile-1", "flavor.auto", profile_id="ada"))
            await producer.push(job("profile-2", "flavor.shell", profile_id="bob"))
            await producer.collect(8, 90)
    looks = {name: result["data"]["pdf"] for name, result in producer.results.items()}
    assert {name: pdf for name, pdf in looks.items() if not name.startswith("profile")} == {
        "auto-0": False,
        "full-1": True,
        "shell-2": False,
        "full-3": True,
        "shell-4": False,
        "auto-5": False,
    }
    assert (looks["profile-1"], looks["profile-2"]) == (True, False)


async def test_a_job_waits_visibly_for_a_worker_that_has_the_flavor(tmp_path: Path) -> None:
    async with place(*modules(tmp_path)) as here, aclosing(Producer(here.redis.url)) as producer:
        with here.worker(browser=HEADLESS_SHELL) as daemon:
            await producer.push(job("full-1", "flavor.full"), job("auto-1", "flavor.auto"))
            await producer.collect(1, 60)
            assert set(producer.results) == {"auto-1"}
            async with asyncio.timeout(30):
                reasons: list[str] = []
                while not reasons:
                    await asyncio.sleep(0.1)
                    reasons = [line["reason"] for line in daemon.log() if line["message"] == "job deferred"]
    assert reasons[0].startswith("its module asks for the full browser ([browser] flavor in module.toml)")
