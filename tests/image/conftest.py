"""The image, built once for all tests of this folder."""

import os
import shutil
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio
from pw_image import base
from pw_image.build import FULL, HEADLESS, build
from pw_image.container import WorkerContainer
from pw_image.testbed import DemoSite, Testbed, served_site
from pw_servers import redis_server
from pw_servers.ports import free_port


def missing() -> str:
    """Why the image cannot be built here; an empty text if it can."""
    programs = [name for name in ("podman", "debootstrap", "git") if shutil.which(name) is None]
    if programs:
        return f"missing: {', '.join(programs)}"
    return "" if os.geteuid() == 0 else "debootstrap needs root"


@pytest.fixture(scope="session")
def built() -> None:
    if why := missing():
        pytest.skip(f"the image cannot be built here: {why}")
    base.reference()


@pytest.fixture(scope="session")
def headless(built: None) -> str:
    build("headless")
    return HEADLESS


@pytest.fixture(scope="session")
def full(headless: str) -> str:
    build("full")
    return FULL


@pytest_asyncio.fixture
async def site() -> AsyncIterator[DemoSite]:
    async with served_site() as served:
        yield served


@pytest.fixture
def testbed(tmp_path: Path) -> Iterator[Testbed]:
    folder = tmp_path / "pageworker"
    folder.mkdir()
    with redis_server(aof=True) as redis:
        yield Testbed(folder, redis)


@pytest.fixture
def container(headless: str, testbed: Testbed) -> Iterator[WorkerContainer]:
    """Not started. Removed after the test, with its volume."""
    port = free_port()
    worker = WorkerContainer(headless, f"pw-test-{port}", port, testbed.mounts, testbed.environment)
    try:
        yield worker
    finally:
        worker.remove()
