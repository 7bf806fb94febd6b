"""Compiled code of Playwright's driver, so that no runner compiles seven megabytes of JavaScript again.

`python -m pageworker_runner.browser.driver_cache` writes it beside the bytecode of this package, when the packages are
installed. A runner only reads it: in its sandbox the folder is read-only. An entry that is damaged or of other code is
not used, and the driver starts as without it.
"""

import asyncio
import os
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from pageworker_runner.browser import driver_heap
from pageworker_runner.pages.playwright_internals.driver_files import bundles

FOLDER = Path(__file__).parent / "__pycache__"
PRELOAD = Path(__file__).with_suffix(".js")
CHECKSUM_BYTES = 4


def variables(folder: Path = FOLDER) -> dict[str, str]:
    """Environment of a driver that reads the cache, if the folder has one."""
    if not all(_entry(folder, bundle).is_file() for bundle in bundles()):
        return {"NODE_OPTIONS": driver_heap.node_options()}
    return _with_preload(folder)


def _with_preload(folder: Path) -> dict[str, str]:
    # V8 takes compiled code only under the flags of the process that wrote it. So both have those of the heap.
    options = f'{driver_heap.node_options()} --require "{PRELOAD}"'
    seed = str(driver_heap.checksum())
    return {"NODE_OPTIONS": options, "DRIVER_CACHE_FOLDER": str(folder), "DRIVER_CACHE_SEED": seed}


@contextmanager
def environment(added: Mapping[str, str]) -> Iterator[None]:
    """These variables for processes that the block starts. Afterwards those that were added are gone."""
    os.environ.update(added)
    try:
        yield
    finally:
        for name in added:
            del os.environ[name]


def is_current(folder: Path = FOLDER) -> bool:
    """Whether the folder has the compiled code of the installed driver."""
    seed = driver_heap.checksum()
    return all(_source_checksum(_entry(folder, each)) == zlib.crc32(each.read_bytes(), seed) for each in bundles())


def _entry(folder: Path, bundle: Path) -> Path:
    return folder / f"{bundle.name}.cache"


def _source_checksum(entry: Path) -> int | None:
    try:
        return int.from_bytes(entry.read_bytes()[:CHECKSUM_BYTES], "little")
    except FileNotFoundError:
        return None


async def write(folder: Path = FOLDER) -> None:
    """Start and end a driver that writes its compiled code. Raises OSError, and Error of Playwright."""
    # Not at the top: an installation that finds a current cache, and that is each `make`, would import it for nothing.
    from playwright.async_api import async_playwright

    folder.mkdir(exist_ok=True)
    with environment({**_with_preload(folder), "DRIVER_CACHE_WRITE": "1"}):
        playwright = await async_playwright().start()
        await playwright.stop()


if __name__ == "__main__":
    if not is_current():
        asyncio.run(write())
