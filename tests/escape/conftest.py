"""Cells that the attacks run in: one confined with a browser, one as a conquered browser would find it."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from pw_wall import cells
from pw_wall.cells import Inside

LAYER_1 = """
from pageworker_sandbox import confine
confine.allow_exec(["/opt/pageworker/site/playwright/driver/node", "/usr/lib/chromium"])
import ctypes, errno, mmap, os, resource, signal, socket, struct, subprocess, threading
from pageworker_sandbox.confine.syscalls import call
libc = ctypes.CDLL(None, use_errno=True)
def must(result):
    if result < 0: raise OSError(ctypes.get_errno(), "")
def program(path):
    with open(path, "wb") as file: file.write(open("/opt/pageworker/site/playwright/driver/node", "rb").read(4096))
    os.chmod(path, 0o755)
    return path
def mapped(path):
    with open(path, "w+b") as file:
        file.write(bytes(4096)); file.flush()
        return mmap.mmap(file.fileno(), 4096, prot=mmap.PROT_READ | mmap.PROT_EXEC)
"""
TOOLS = LAYER_1.split("\n", 3)[3]


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def confined(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Inside]:
    """As module code runs: Playwright and a browser are up, both layers are on."""
    profile = tmp_path_factory.mktemp("escape") / "profile"
    async with cells.cell(cells.host(cells.HEADLESS), cells.spec(profile)) as inside:
        await inside.browse(cells.HEADLESS)
        await inside.run(TOOLS)
        yield inside


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def conquered(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Inside]:
    """As native code in the browser's or the driver's process runs: namespaces, first filter and layer 1."""
    profile = tmp_path_factory.mktemp("escape") / "profile"
    async with cells.cell(cells.host(cells.HEADLESS), cells.spec(profile, processes=200)) as inside:
        await inside.run(LAYER_1)
        yield inside


@pytest.fixture
def profile(tmp_path: Path) -> Path:
    return tmp_path / "profile"
