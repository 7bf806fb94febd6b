"""Deletes uploads whose time is over. Each API process does it for the whole store; a missing file is no error."""

import asyncio
import time

from pageworker_supervisor.files.errors import FileStoreAway
from pageworker_supervisor.files.store import FileStore
from pageworker_supervisor.telemetry import log

SWEEP_SECONDS = 600.0


async def sweep(store: FileStore, now: float) -> int:
    """Delete what has expired. Returns how many files. Raises FileStoreAway."""
    keys = await store.expired(now)
    for key in keys:
        await store.remove(key)
    return len(keys)


async def run_sweeps(store: FileStore) -> None:
    """Sweep until cancelled."""
    while True:
        try:
            if files := await sweep(store, time.time()):
                log.info("expired files deleted", files=files)
        except (FileStoreAway, OSError) as away:
            # They are no file of any job any more. The next sweep deletes them.
            log.warning("expired files were not deleted", reason=str(away))
        await asyncio.sleep(SWEEP_SECONDS)
