"""A compile cache for Playwright's driver in runners without a sandbox. Their start takes less processor time.

It is in pytest's cache folder, so a later run has it, too. Node.js adds what is missing when a driver ends, and ignores
an entry that does not fit its version or its file. Source: nodejs.org/api/module.html, module compile cache.
"""

import os
from dataclasses import dataclass
from pathlib import Path

import pytest

VARIABLE = "NODE_COMPILE_CACHE"


@dataclass
class DriverCache:
    """`folder` holds one folder per user. None: there is no cache."""

    folder: Path | None = None

    def environment(self, uid: int) -> dict[str, str]:
        """Variables for a driver that runs as this user."""
        if self.folder is None:
            return {}
        # A cache is code. What one user wrote is not run as another one.
        own = self.folder / str(uid)
        own.mkdir(mode=0o700, exist_ok=True)
        if uid != os.geteuid():
            os.chown(own, uid, uid)
        return {VARIABLE: str(own)}


driver_cache = DriverCache()
"""That of this process."""


def pytest_configure(config: pytest.Config) -> None:
    """Finds pytest's cache folder. `-p no:cacheprovider` takes it away."""
    cache = getattr(config, "cache", None)
    driver_cache.folder = None if cache is None else cache.mkdir("driver")
