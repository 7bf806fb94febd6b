"""Versions of this worker's browsers. Each binary is asked once, and again when it was replaced."""

import asyncio
import subprocess
from pathlib import Path

from pageworker_profiles.browser_version import UNKNOWN, BrowserVersion, version_in
from pageworker_sandbox.launch.run_program import run_program
from pageworker_supervisor.telemetry import log

ASK_SECONDS = 20.0

FileState = tuple[int, int, int]


class BrowserVersions:
    """What `--version` of a binary prints, by path and by the state of the file."""

    def __init__(self) -> None:
        self._known: dict[Path, tuple[FileState, BrowserVersion]] = {}
        self._asking = asyncio.Lock()

    async def of(self, binary: Path) -> BrowserVersion:
        """The version of a binary of this host. UNKNOWN: it does not say one, which is logged and asked again."""
        async with self._asking:
            try:
                state = _state(binary)
                if (known := self._known.get(binary)) is not None and known[0] == state:
                    return known[1]
                version = await asyncio.to_thread(_ask, binary)
            except (OSError, subprocess.SubprocessError) as error:
                log.warning("browser does not say its version", browser=str(binary), reason=str(error))
                return UNKNOWN
            if version == UNKNOWN:
                log.warning("browser does not say its version", browser=str(binary), reason="--version prints none")
                return UNKNOWN
            self._known[binary] = (state, version)
            return version


def _state(binary: Path) -> FileState:
    """Changes when an upgrade replaces the binary."""
    status = binary.stat()
    return status.st_mtime_ns, status.st_ino, status.st_size


def _ask(binary: Path) -> BrowserVersion:
    """Outside of any sandbox: the browser prints and ends, before it reads a page or a profile."""
    program = run_program([binary, "--version"], ASK_SECONDS)
    program.check_returncode()
    return version_in(program.stdout)
