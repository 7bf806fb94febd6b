"""Calls podman."""

import shutil
import subprocess
from collections.abc import Sequence

CALL_SECONDS = 300.0
"""podman waits for its storage while another command writes a layer."""
RUNTIME = ("--runtime", "runc") if shutil.which("runc") else ()
"""crun before 1.15 cannot start a container where cgroup v2 has no controllers."""
LIMITS = ("--ulimit", "nofile=20000:20000", "--ulimit", "nproc=20000:20000")
"""podman asks for more than a machine may permit."""


class PodmanFailed(Exception):
    """podman ended with another exit code than 0. The text has its arguments and the end of its output."""


def podman(*words: str, timeout: float = CALL_SECONDS, accepted: Sequence[int] = (0,)) -> str:
    """Run podman to its end. Returns its stdout. Raises PodmanFailed, subprocess.TimeoutExpired."""
    ended = subprocess.run(
        ["podman", *RUNTIME, *words], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=timeout
    )
    if ended.returncode not in accepted:
        end = "\n".join((ended.stdout + ended.stderr).splitlines()[-30:])
        raise PodmanFailed(f"podman {' '.join(words)} ended with {ended.returncode}:\n{end}")
    return ended.stdout


def exit_code(*words: str, timeout: float = CALL_SECONDS) -> tuple[int, str]:
    """Run podman to its end. Returns its exit code, and both outputs as one text."""
    ended = subprocess.run(
        ["podman", *RUNTIME, *words], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=timeout
    )
    return ended.returncode, ended.stdout + ended.stderr


def exists(kind: str, name: str) -> bool:
    """Whether podman has this `image` or `container`."""
    return exit_code(kind, "exists", name)[0] == 0
