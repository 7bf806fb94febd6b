"""Which module versions a runner has loaded, and which of them it is to unload. Pure.

A runner that runs many versions would grow without end. So it keeps a bounded number of them, the latest used.
"""

from collections import OrderedDict

MAX_VERSIONS = 32
"""Versions per runner. A tenant that uses more modules in one browser context pays with imports."""
MAX_BYTES = 64 * 1024 * 1024
"""Bytes of bundles per runner. The latest version always stays, however large it is."""

Version = tuple[str, str]
"""Name and version of a module."""


class LoadedModules:
    """The versions of one runner, the least recently used first."""

    def __init__(self, max_versions: int = MAX_VERSIONS, max_bytes: int = MAX_BYTES) -> None:
        self._max_versions = max_versions
        self._max_bytes = max_bytes
        self._bytes: OrderedDict[Version, int] = OrderedDict()

    def use(self, name: str, version: str) -> bool:
        """Note that an attempt uses a version. False: the runner does not have it."""
        if (name, version) not in self._bytes:
            return False
        self._bytes.move_to_end((name, version))
        return True

    def add(self, name: str, version: str, bundle_bytes: int) -> list[Version]:
        """Note that the runner was sent a version. Returns the versions that it is to unload."""
        self._bytes[name, version] = bundle_bytes
        unloaded: list[Version] = []
        while len(self._bytes) > 1 and not self._fits():
            unloaded.append(self._bytes.popitem(last=False)[0])
        return unloaded

    def _fits(self) -> bool:
        return len(self._bytes) <= self._max_versions and sum(self._bytes.values()) <= self._max_bytes
