"""The `minisign` program, as an independent implementation of the signature format."""

import subprocess
from pathlib import Path


def minisign(*arguments: str | Path, typed: str = "") -> subprocess.CompletedProcess[str]:
    """Run it; `typed` goes to its standard input."""
    return subprocess.run(
        ["minisign", *map(str, arguments)], input=typed, capture_output=True, text=True, check=False, timeout=60
    )
