"""The compiled code of the driver: runners use it, and one that is damaged or of other code costs only its use."""

import asyncio
import os
import subprocess
from pathlib import Path

import pytest
from playwright._impl._driver import compute_driver_executable

from pageworker_runner.browser import driver_cache, driver_heap
from pageworker_runner.pages.playwright_internals.driver_files import bundles

WITNESS = """
const vm = require("vm"), path = require("path");
vm.Script = class extends vm.Script {
  constructor(code, options) {
    super(code, options);
    console.error(path.basename(options.filename) + (this.cachedDataRejected ? " rejected" : " accepted"));
  }
};
"""
"""Reports each script that is compiled with a cache."""


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the compiled code of the installed driver."""
    folder = tmp_path_factory.mktemp("driver")
    asyncio.run(driver_cache.write(folder))
    return folder


@pytest.fixture
def copy(cache: Path, tmp_path: Path) -> Path:
    """The same, to be changed."""
    for entry in cache.iterdir():
        (tmp_path / entry.name).write_bytes(entry.read_bytes())
    return tmp_path


def report(folder: Path, *flags: str) -> set[str]:
    """What a driver with this cache does with each of its bundles. It runs until it has printed its version."""
    node, cli = compute_driver_executable()
    witness = folder / "witness.js"
    witness.write_text(WITNESS)
    variables = driver_cache.variables(folder)
    variables["NODE_OPTIONS"] = f"--require {witness} {variables['NODE_OPTIONS']}"
    command = [node, *flags, cli, "--version"]
    ended = subprocess.run(command, env=variables, capture_output=True, text=True, check=True)
    assert ended.stdout.startswith("Version 1.")
    return set(ended.stderr.splitlines())


def change(entry: Path, position: int) -> None:
    content = bytearray(entry.read_bytes())
    content[position] ^= 0xFF
    entry.write_bytes(content)


def test_a_driver_takes_the_code_that_another_one_compiled(copy: Path) -> None:
    assert report(copy) == {"coreBundle.js accepted", "utilsBundle.js accepted"}


@pytest.mark.parametrize("position", [0, 4, 8, -100], ids=["source", "checksum", "start of the code", "code"])
def test_a_changed_entry_is_not_used(copy: Path, position: int) -> None:
    """An entry begins with the checksum of the source: a change there is what another release of the driver makes."""
    change(copy / "coreBundle.js.cache", position)
    assert report(copy) == {"utilsBundle.js accepted"}


def test_an_entry_of_another_v8_is_compiled_again(copy: Path) -> None:
    """V8 has other flags here, which count as another release does."""
    assert report(copy, "--no-opt") == {"coreBundle.js rejected", "utilsBundle.js rejected"}


def test_what_is_installed_decides_whether_it_is_current(copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert driver_cache.is_current(copy)
    with monkeypatch.context() as patch:
        patch.setattr(driver_heap, "YOUNG_MB", driver_heap.YOUNG_MB + 1)
        assert not driver_cache.is_current(copy), "V8 would compile again"
    change(copy / "utilsBundle.js.cache", 0)
    assert not driver_cache.is_current(copy)
    (copy / "utilsBundle.js.cache").unlink()
    assert not driver_cache.is_current(copy)


def test_without_an_entry_a_driver_starts_as_usual(copy: Path) -> None:
    (copy / "utilsBundle.js.cache").unlink()
    assert driver_cache.variables(copy) == {"NODE_OPTIONS": driver_heap.node_options()}


def test_every_user_can_read_what_an_installer_wrote(tmp_path: Path) -> None:
    before = os.umask(0o077)
    try:
        asyncio.run(driver_cache.write(tmp_path))
    finally:
        os.umask(before)
    entries = {entry.name: entry.stat().st_mode & 0o777 for entry in tmp_path.iterdir()}
    assert entries == {f"{bundle.name}.cache": 0o644 for bundle in bundles()}


def test_variables_are_gone_after_the_block(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DRIVER_CACHE_FOLDER", raising=False)
    with driver_cache.environment({"DRIVER_CACHE_FOLDER": "/x"}):
        assert os.environ["DRIVER_CACHE_FOLDER"] == "/x"
    assert "DRIVER_CACHE_FOLDER" not in os.environ
