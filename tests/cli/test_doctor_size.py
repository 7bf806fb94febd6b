"""`workerctl doctor --size`: a real runner is measured, and the recommendation is printed."""

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from cli.commands import valid_json
from pw_daemon.place import HEADLESS_SHELL
from starlette.applications import Starlette
from starlette.responses import HTMLResponse
from starlette.routing import Route

from pageworker_demo.loopback_server import served
from pageworker_demo.toml import toml_text
from pageworker_supervisor.cli.app import run

# The measurement as it is, only shorter.
PROGRAM = """
import sys
from pageworker_supervisor.cli import app, doctor_size
doctor_size.SECONDS = 1.5
sys.exit(app.run())
"""


async def sized(folder: Path, *words: str, **sections: Any) -> tuple[int, str, str]:
    """Exit code, stdout, stderr."""
    config = folder / "pageworker.toml"
    config.write_text(toml_text({"browser": HEADLESS_SHELL, "pool": {"pages": 3}, **sections}))
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", PROGRAM, "doctor", "--size", "--config", str(config), *words),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    output, errors = await process.communicate()
    assert process.returncode is not None
    return process.returncode, output.decode(), errors.decode()


@pytest.mark.browser
@pytest.mark.sandbox
async def test_a_runner_is_measured_on_a_page_of_our_own(tmp_path: Path) -> None:
    # The tenants' egress must not keep the measurement from its own page.
    tenants = {"*": {"egress": ["shop.example"]}}
    code, output, errors = await sized(tmp_path, "--json", tenants=tenants)
    assert code == 0, errors
    facts = valid_json("doctor", output)
    measured, found = facts["measured"], facts["recommended"]
    assert measured["pages"] == 3
    assert measured["jobs"] >= 3
    assert 0.1 < measured["job_seconds"] < 60, "a request takes 0.1 s at least"
    assert 0.01 < measured["cpu_seconds_per_job"] < 10
    assert 50 * 1024**2 < measured["runner_bytes"] < 2 * 1024**3
    assert 20 * 1024**2 < measured["worker_bytes"] < 1024**3
    assert (1 <= found["runners"] <= 64, 1 <= found["pages"] <= 8, len(found["reasons"])) == (True, True, 3)
    assert facts["host"]["cpus"] > 0


@asynccontextmanager
async def one_page(answer: HTMLResponse) -> AsyncIterator[dict[str, Any]]:
    async def page(_: object) -> HTMLResponse:
        return answer

    async with served(Starlette(routes=[Route("/", page)])) as port:
        yield {"egress": {"hosts": {"shop.example": f"127.0.0.1:{port}"}}}


@pytest.mark.browser
@pytest.mark.sandbox
async def test_a_page_of_ones_own_can_be_measured(tmp_path: Path) -> None:
    async with one_page(HTMLResponse("<title>t</title><h1>h</h1>")) as sections:
        code, output, errors = await sized(tmp_path, "--url", "http://shop.example/", **sections)
    assert code == 0, errors
    assert output.startswith("Measured ")
    assert "jobs on http://shop.example/.\n" in output
    assert "\n[pool]\nrunners = " in output
    assert "Your pages may need more" not in output


@pytest.mark.browser
@pytest.mark.sandbox
async def test_a_page_that_cannot_be_opened_ends_the_measurement(tmp_path: Path) -> None:
    code, output, errors = await sized(tmp_path, "--url", "https://nowhere.invalid/")
    assert (code, output) == (1, "")
    assert "a job of the measurement ended as failed: " in errors
    assert "Traceback" not in errors


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--size", "--audit"], "exclude each other"),
        (["--url", "http://a.example/"], "needs --size"),
        (["--size", "--url", "a.example"], "is no http:// or https:// URL"),
    ],
)
def test_options_that_make_no_sense_are_refused(
    words: list[str], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["doctor", *words]) == 2
    assert told in capsys.readouterr().err
