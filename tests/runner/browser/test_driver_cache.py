"""The compile cache of `pw_driver_cache`: drivers of the tests use it, and a bad one costs only its use."""

import os
import subprocess
from pathlib import Path

import pytest
from playwright._impl._driver import compute_driver_executable
from pw_driver_cache import DriverCache
from pw_runner.bundles import handler
from pw_runner.supervisor import Supervisor


def start_driver(cache: DriverCache) -> str:
    """Start the driver's program until it prints its version. Returns what Node.js reports about the cache."""
    report = {"NODE_DEBUG_NATIVE": "COMPILE_CACHE", "HOME": "/tmp"}
    environment = {**report, **cache.environment(os.geteuid())}
    command = [*compute_driver_executable(), "--version"]
    ended = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert "Version 1." in ended.stdout + ended.stderr
    return ended.stdout + ended.stderr


def bundles(report: str, answer: str) -> int:
    """How many of the two large files got this answer from the cache."""
    lines = [line for line in report.splitlines() if "Bundle.js was" in line]
    return sum(f"was {answer}" in line for line in lines)


def test_a_driver_takes_compiled_code_from_the_one_before(tmp_path: Path) -> None:
    cache = DriverCache(tmp_path)
    assert bundles(start_driver(cache), "not initialized") == 2
    assert bundles(start_driver(cache), "accepted") == 2


def test_a_driver_starts_with_a_damaged_cache(tmp_path: Path) -> None:
    cache = DriverCache(tmp_path)
    start_driver(cache)
    entries = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert len(entries) > 2
    for entry in entries:
        content = bytearray(entry.read_bytes())
        content[-100] ^= 0xFF
        entry.write_bytes(content)
    assert bundles(start_driver(cache), "accepted") == 0


def test_the_folder_of_a_user_is_closed_to_others(tmp_path: Path) -> None:
    DriverCache(tmp_path).environment(os.geteuid())
    assert (tmp_path / str(os.geteuid())).stat().st_mode & 0o777 == 0o700


def test_without_pytests_cache_there_is_none() -> None:
    assert DriverCache().environment(os.geteuid()) == {}


@pytest.mark.asyncio(loop_scope="module")
async def test_a_runner_without_a_sandbox_has_the_cache_of_its_user(runner: Supervisor) -> None:
    report = await runner.run(handler("import os\nreturn {'folder': os.environ.get('NODE_COMPILE_CACHE', '')}"))
    folder = Path(report.data["folder"])
    assert folder.stat().st_uid == int(folder.name)
    assert Path(f"/proc/{runner.process.pid}").stat().st_uid == int(folder.name)
