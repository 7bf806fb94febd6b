"""A short `make chaos`, so that it keeps working between long runs. A failure prints plan, seed and findings."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]

pytestmark = [pytest.mark.redis, pytest.mark.timeout(300)]


def clean_line(*options: str) -> dict[str, int]:
    """Run chaos in its own process, which must find nothing wrong. Returns its last line."""
    done = subprocess.run(
        [sys.executable, "-m", "chaos", *options],
        env={**os.environ, "PYTHONPATH": str(TESTS)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"{done.stderr[-2000:]}\n{done.stdout}"
    line: dict[str, int] = json.loads(done.stdout.splitlines()[-1])
    return line


@pytest.mark.parametrize(("deployment", "jobs"), [("standalone", 500), ("sentinel", 250), ("cluster", 250)])
def test_nothing_is_lost_or_double_whatever_befalls_redis_and_workers(deployment: str, jobs: int) -> None:
    options = f"--deployments {deployment} --jobs {jobs} --faults 12 --workers 3 --real-jobs 0"
    assert clean_line(*options.split())["faults"] == 12


@pytest.mark.browser
@pytest.mark.sandbox
def test_nothing_is_lost_or_double_with_real_runners() -> None:
    options = "--deployments --real-jobs 40 --real-faults 6 --workers 2"
    assert clean_line(*options.split())["faults"] == 6
