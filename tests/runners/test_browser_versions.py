"""The version of a binary is asked once, and again after an upgrade."""

import asyncio
from pathlib import Path

import pytest

from pageworker_profiles.browser_version import UNKNOWN, BrowserVersion
from pageworker_supervisor.runners.browser_versions import BrowserVersions


def install(binary: Path, says: str, status: int = 0) -> None:
    """Replace it as a package manager does: by another file."""
    new = binary.with_suffix(".new")
    new.write_text(f'#!/bin/sh\necho "$1" >> {binary}.asked\necho "{says}"\nexit {status}\n')
    new.chmod(0o755)
    new.replace(binary)


def asked(binary: Path) -> int:
    return len(Path(f"{binary}.asked").read_text().splitlines())


async def test_a_binary_is_asked_once_until_it_is_replaced(tmp_path: Path) -> None:
    binary, versions = tmp_path / "some-browser", BrowserVersions()
    install(binary, "Chromium 156.0.8078.108 built on Debian")
    found = await asyncio.gather(*(versions.of(binary) for _ in range(3)))
    assert (found, asked(binary)) == ([BrowserVersion(156, 0, 8078, 108)] * 3, 1)
    install(binary, "Chromium 157.0.8100.2 built on Debian")
    assert await versions.of(binary) == BrowserVersion(157, 0, 8100, 2)
    assert (await versions.of(binary), asked(binary)) == (BrowserVersion(157, 0, 8100, 2), 2)


@pytest.mark.parametrize(("says", "status"), [("Chromium", 0), ("Chromium 156.0.8078.108", 1)])
async def test_a_browser_that_does_not_say_its_version_is_asked_again(tmp_path: Path, says: str, status: int) -> None:
    binary, versions = tmp_path / "some-browser", BrowserVersions()
    install(binary, says, status)
    assert [await versions.of(binary) for _ in range(2)] == [UNKNOWN] * 2
    assert asked(binary) == 2
    assert await versions.of(tmp_path / "missing") == UNKNOWN
