"""One visit of a profile in a process of its own, without a browser, so that it can be killed at any moment.

`python -m handover.holder NAME ROOT STORE FENCE TEXT`: opens the profile, prints what it holds, writes the text, prints
`closing`, publishes, prints `closed`.
"""

import asyncio
import sys
from pathlib import Path

from pw_profiles import Homes, SnapshotWorker, put

from pageworker_profiles.snapshots.folder_objects import FolderObjects


async def visit(name: str, root: str, store: str, fence: str, text: str) -> None:
    """See above."""
    worker = SnapshotWorker(name, Path(root), FolderObjects(Path(store)), Homes(), seconds=300)
    lease = await worker.open(int(fence))
    file = lease.path / "Default/Preferences"
    print(f"found {file.read_text() if file.exists() else ''}", flush=True)
    put(lease.path, text)
    # More than one chunk of a container, so that a kill meets a half written one.
    (lease.path / "Default/History").write_bytes(bytes(range(256)) * 4096)
    print("closing", flush=True)
    await worker.close(lease, int(fence))
    print("closed", flush=True)


if __name__ == "__main__":
    asyncio.run(visit(*sys.argv[1:]))
