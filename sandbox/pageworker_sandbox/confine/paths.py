"""What a runner's interpreter goes on needing after it has confined itself."""

import os
import sys
from pathlib import Path

STATIC = ("/usr/share/zoneinfo", "/dev/null", "/dev/urandom")
"""Read by the standard library on demand."""


def interpreter() -> list[str]:
    """Folders and files that imports and time zones are read from: module search path, mapped libraries."""
    imports = [os.path.realpath(entry) for entry in sys.path if entry]
    libraries = {os.path.dirname(path) for path in _mapped() if ".so" in os.path.basename(path)}  # noqa: PTH119, PTH120 - text, not files
    return [*dict.fromkeys((*imports, *sorted(libraries), *STATIC))]


def loaders() -> list[str]:
    """The dynamic loader, which the kernel executes together with every program."""
    return sorted(path for path in _mapped() if os.path.basename(path).startswith(("ld-", "ld.so", "ld64")))  # noqa: PTH119 - text, not files


def _mapped() -> set[str]:
    """Files that are mapped into this process. Source: proc_pid_maps(5)."""
    fields = (line.split(maxsplit=5) for line in Path("/proc/self/maps").read_text().splitlines())
    return {os.path.realpath(field[5]) for field in fields if len(field) == 6 and field[5].startswith("/")}
