"""Debian's promtool, which `make install` brings."""

import subprocess
from pathlib import Path


def promtool(*arguments: str | Path) -> str:
    """What promtool prints. It has to succeed."""
    done = subprocess.run(["promtool", *arguments], capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
