"""Where a profile lives: one store of the fleet. A worker asks before it makes a folder for a profile that it lacks."""

import os
from contextlib import suppress
from pathlib import Path
from typing import Protocol

from pageworker_profiles.errors import StoreDamaged

STORE_ID = ".store-id"
ID_BYTES = 16


class ProfileHomes(Protocol):
    """The fleet's record of the store in which each profile lives."""

    async def claim(self, tenant_id: str, profile_id: str, store: str) -> bool:
        """The profile is about to be opened in this store. Records that where there is no record yet.

        Raises ProfileElsewhere if it lives in another one. True: `keep` was called for it.
        """

    async def keep(self, tenant_id: str, profile_id: str, store: str) -> None:
        """A snapshot of the profile is in this store: it lives here now, wherever it lived before."""


def store_id(root: Path) -> str:
    """The random name of the folder of profiles at `root`. Written at the first call. Raises StoreDamaged, OSError.

    A copy of the folder has the same name: it counts as the same store.
    """
    file = root / STORE_ID
    if not file.exists():
        new = root / f"{STORE_ID}.{os.urandom(8).hex()}"
        with new.open("x") as writing:
            writing.write(os.urandom(ID_BYTES).hex())
            writing.flush()
            os.fsync(writing.fileno())
        # A link is made by one process only. The others read what it wrote.
        with suppress(FileExistsError):
            file.hardlink_to(new)
        new.unlink()
    return parse_store_id(file.read_bytes(), str(file))


def parse_store_id(data: bytes, where: str) -> str:
    """The id that a file or an object holds. Raises StoreDamaged."""
    text = data.decode("ascii", "replace").strip()
    if len(text) != 2 * ID_BYTES or not text.isalnum():
        raise StoreDamaged(f"{where} holds {text[:40]!r}, expected {2 * ID_BYTES} hexadecimal digits: restore it")
    return text
