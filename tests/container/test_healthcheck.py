"""The health check of the image, against real sockets."""

import asyncio
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from deploy.container.healthcheck import DEFAULT_BIND, address, problem
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from pageworker_demo.loopback_server import served
from pageworker_supervisor.admin.operator_api import json_response
from pageworker_supervisor.config.settings import HttpSettings

SCRIPT = Path(__file__).parents[2] / "deploy/container/healthcheck.py"


def answering(status: int) -> Starlette:
    """A worker whose `/healthz` has this status."""

    async def healthz(_: Request) -> Response:
        return json_response({"status": "alive"}, status)

    return Starlette(routes=[Route("/healthz", healthz)])


@contextmanager
def silent() -> Iterator[int]:
    """A port that accepts connections, and never answers: a suspended worker."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]


async def check(port: int) -> tuple[int, str]:
    """Exit code and error text of the script."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-I", "-S", str(SCRIPT)),
        env={"PAGEWORKER_HTTP__BIND": f"0.0.0.0:{port}"},
        stderr=subprocess.PIPE,
    )
    _, text = await process.communicate()
    return process.returncode or 0, text.decode()


@pytest.mark.parametrize(("status", "code"), [(200, 0), (503, 1)])
async def test_it_follows_the_status_of_healthz(status: int, code: int) -> None:
    async with served(answering(status)) as port:
        ended, text = await check(port)
    assert ended == code
    assert (str(status) in text) == (code == 1)


def test_a_worker_that_does_not_answer_is_unhealthy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("deploy.container.healthcheck.TIMEOUT_SECONDS", 0.05)
    with silent() as port:
        assert "timed out" in problem(f"127.0.0.1:{port}")
    assert "refused" in problem(f"127.0.0.1:{port}")


@pytest.mark.parametrize(
    ("bind", "asked"),
    [
        ("127.0.0.1:9470", ("127.0.0.1", 9470)),
        ("0.0.0.0:80", ("127.0.0.1", 80)),
        ("[::]:80", ("::1", 80)),
        ("[fd00::1]:80", ("fd00::1", 80)),
        ("worker:80", ("worker", 80)),
    ],
)
def test_it_asks_where_the_worker_listens(bind: str, asked: tuple[str, int]) -> None:
    assert address(bind) == asked


def test_a_bind_without_a_port_is_a_problem() -> None:
    assert "invalid literal" in problem("nonsense")


def test_its_default_is_that_of_the_worker() -> None:
    assert HttpSettings().bind == DEFAULT_BIND
