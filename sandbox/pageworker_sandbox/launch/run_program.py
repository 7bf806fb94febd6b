"""Runs a program of the host with a deadline."""

import math
import subprocess
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

POLL_SECONDS = 0.5


def run_program(command: Sequence[str | Path], seconds: float, **popen: Any) -> subprocess.CompletedProcess[str]:
    """Run it to its end, without stdin, and return its output. Raises OSError, subprocess.TimeoutExpired.

    The deadline is a number of short waits. When the host or this process is suspended (SIGSTOP), only one short wait
    is lost. A single long wait would have expired before the output was read.
    """
    with subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
        **popen,
    ) as process:
        try:
            for _ in range(math.ceil(seconds / POLL_SECONDS)):
                with suppress(subprocess.TimeoutExpired):
                    output, errors = process.communicate(timeout=POLL_SECONDS)
                    return subprocess.CompletedProcess(command, process.returncode, output, errors)
        finally:
            process.kill()
    raise subprocess.TimeoutExpired([str(word) for word in command], seconds)
