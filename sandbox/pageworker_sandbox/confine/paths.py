"""Paths that a runner's interpreter still needs after it has confined itself."""

import os
import sys
from pathlib import Path

STATIC = ("/usr/share/zoneinfo", "/dev/null", "/dev/urandom")
"""The standard library reads these on demand."""


def interpreter() -> list[str]:
    """Folders and files that imports and time zones need: module search path, folders of mapped libraries, STATIC."""
    imports = [os.path.realpath(entry) for entry in sys.path if entry]
    libraries = {str(path.parent) for path in _mapped() if ".so" in path.name}
    return [*dict.fromkeys((*imports, *sorted(libraries), *STATIC))]


def loaders() -> list[str]:
    """Paths of the dynamic loader, which the kernel executes together with every program."""
    return sorted(str(path) for path in _mapped() if path.name.startswith(("ld-", "ld.so", "ld64")))


def _mapped() -> set[Path]:
    """Paths of the files that are mapped into this process. Source: proc_pid_maps(5)."""
    fields = (line.split(maxsplit=5) for line in Path("/proc/self/maps").read_text().splitlines())
    return {Path(os.path.realpath(field[5])) for field in fields if len(field) == 6 and field[5].startswith("/")}
