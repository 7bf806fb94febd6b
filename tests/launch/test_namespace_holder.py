"""The process that makes the worker's user namespace: it says when, and ends with its standard input."""

import subprocess
import sys
from pathlib import Path

from pageworker_sandbox.launch import namespace_holder


def test_it_is_in_a_namespace_of_its_own_until_its_input_ends() -> None:
    command = [sys.executable, "-I", "-S", namespace_holder.__file__]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdin is not None
        assert holder.stdout is not None
        assert holder.stdout.read(1) == namespace_holder.READY
        ours, its = (Path(f"/proc/{pid}/ns/user").readlink() for pid in ("self", holder.pid))
        assert ours != its
        assert holder.poll() is None
        holder.stdin.close()
        assert holder.wait() == 0
