"""The `minisign` program, as an independent implementation of the signature format."""

import resource
import subprocess
from pathlib import Path

LITTLE_MEMORY = 64 << 20


def minisign(
    *arguments: str | Path, typed: str = "", memory_bytes: int = resource.RLIM_INFINITY
) -> subprocess.CompletedProcess[str]:
    """Run it; `typed` goes to its standard input.

    Where scrypt's usual 1 GiB is more than `memory_bytes`, minisign halves the cost of a new key until it fits.
    """

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_AS, (memory_bytes, memory_bytes))

    return subprocess.run(
        ["minisign", *map(str, arguments)],
        input=typed,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        preexec_fn=limit,
    )
