"""Runs the suite in plain Playwright, in an interpreter of its own, on the Chromium that jobs have."""

import os
import subprocess
import tempfile
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

import msgspec
from bench.peer_venv import peer_python
from pw_daemon import HEADLESS_SHELL

from playwright_suite.outcomes import SuiteTest

HERE = Path(__file__).parent
VENV = HERE.parents[1] / ".venv-playwright-suite"
TEST_SECONDS = 60
SETTINGS = """[pytest]
asyncio_mode = auto
asyncio_default_fixture_loop_scope = session
asyncio_default_test_loop_scope = session
markers =
    skip_browser
    only_browser
    skip_platform
    only_platform
"""


class SuiteMissing(Exception):
    """The folder is no checkout of playwright-python."""


def suite_python(folder: Path) -> Path:
    """The interpreter of the suite, made when it is first needed. Raises PeersMissing."""
    wanted = folder / "requirements.txt"
    # The release of Playwright must be the one that is tested.
    wanted.write_text(f"{(HERE / 'requirements.txt').read_text()}playwright=={version('playwright')}\n")
    return peer_python(wanted, VENV)


def run_plain(python: Path, checkout: Path, files: Sequence[str]) -> list[SuiteTest]:
    """Run these files of tests/async, or all. Returns every test with its outcome. Raises SuiteMissing."""
    if not (checkout / "tests/async").is_dir():
        raise SuiteMissing(f"{checkout} has no folder tests/async: give the folder of a checkout of playwright-python")
    with tempfile.TemporaryDirectory(prefix="pw-suite-") as scratch:
        outcomes, settings = Path(scratch, "outcomes"), Path(scratch, "pytest.ini")
        settings.write_text(SETTINGS)
        command: list[str | Path] = [
            python,
            "-m",
            "pytest",
            "-p",
            "playwright_suite.plain.plain_plugin",
            "-c",
            settings,
            "--rootdir",
            checkout,
            "-q",
        ]
        options = ["--browser", "chromium", "--timeout", str(TEST_SECONDS), "--continue-on-collection-errors"]
        environment = {
            **os.environ,
            "PYTHONPATH": str(HERE.parent),
            # The checkout has a folder `playwright` without its driver, which must not hide the installed one.
            "PYTHONSAFEPATH": "1",
            "SUITE_BROWSER": HEADLESS_SHELL["executable"],
            "SUITE_OUTCOMES": str(outcomes),
        }
        targets = [f"tests/async/{file}" for file in files] or ["tests/async"]
        # Some tests fail: the outcomes say which. Without outcomes, the output says why.
        done = subprocess.run(
            [*command, *options, *targets], cwd=checkout, env=environment, capture_output=True, text=True, check=False
        )
        if not outcomes.exists():
            raise SuiteMissing(f"pytest ran no test of {checkout}: {done.stdout[-2000:]}{done.stderr[-2000:]}")
        return [msgspec.json.decode(line, type=SuiteTest) for line in outcomes.read_bytes().splitlines()]
