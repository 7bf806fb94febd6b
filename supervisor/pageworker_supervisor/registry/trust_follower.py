"""Keeps the trust store of a running worker up to date with its trust file."""

import asyncio
from pathlib import Path
from typing import NoReturn, Protocol

from pageworker_sandbox.signing import KeyUnusable, TrustStore
from pageworker_supervisor.config.module_settings import ModuleSettings
from pageworker_supervisor.registry.trust import load_trust
from pageworker_supervisor.telemetry import log

LOOK_SECONDS = 1.0
"""Between two looks at the file. A revocation counts after this time at the latest."""

Stamp = tuple[int, int, int, int]


class TrustUser(Protocol):
    """Who is told of a new trust store: the registry."""

    def use_trust(self, trust: TrustStore) -> None:
        """Trust these keys from now on."""


class TrustFollower:
    """The trust store that counts now. A file that cannot be used changes nothing: the last valid one stays in effect.

    `trouble`: why the file, as it is now, is not in effect. Empty if it is.
    """

    def __init__(self, modules: ModuleSettings) -> None:
        """Raises KeyUnusable."""
        self._entries, self._file = modules.trusted_keys, modules.trust
        self._stamp = _stamp(self._file)
        self.store = load_trust(self._entries, self._file)
        self.trouble = ""

    async def read(self) -> TrustStore:
        """What the file says now. Changes nothing. Raises KeyUnusable."""
        return await asyncio.to_thread(load_trust, self._entries, self._file)

    def use(self, store: TrustStore, user: TrustUser) -> None:
        """Trust these keys from now on."""
        self.trouble = ""
        if store == self.store:
            return
        self.store = store
        user.use_trust(store)
        log.info("trust file read again", keys=len(store.keys), revoked=len(store.revoked))

    async def run(self, user: TrustUser) -> NoReturn:
        """Look for changes of the file for ever."""
        if self._file is None:
            await asyncio.Event().wait()
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            await self.look(user)

    async def look(self, user: TrustUser) -> None:
        """Read the file if it has changed."""
        stamp = await asyncio.to_thread(_stamp, self._file)
        if stamp == self._stamp:
            return
        # The stamp is from before the read: a change during the read is seen at the next look.
        self._stamp = stamp
        try:
            self.use(await self.read(), user)
        except KeyUnusable as invalid:
            self.trouble = str(invalid)
            log.error("trust file refused, the keys from before still count", reason=self.trouble)


def _stamp(file: Path | None) -> Stamp | None:
    """Tells one version of the file from another. None: there is no file, or it cannot be read."""
    try:
        found = file.stat() if file is not None else None
    except OSError:
        return None
    return (found.st_mtime_ns, found.st_ctime_ns, found.st_size, found.st_ino) if found is not None else None
