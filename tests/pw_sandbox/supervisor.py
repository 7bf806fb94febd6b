"""A supervisor for tests that kill it: starts a sandbox with a browser, reports its pids, and waits for ever.

`python -m pw_sandbox.supervisor PROFILE BROWSER`; one JSON line on stdout.
"""

import asyncio
import json
import sys
from pathlib import Path

from pageworker_sandbox.launch import procfs
from pw_sandbox import sandboxes


async def main(profile: Path, browser: Path) -> None:
    async with sandboxes.sandbox(sandboxes.host(browser), sandboxes.spec(profile)) as inside:
        version = await inside.browse(browser)
        told = {
            "version": version,
            "proof": await inside.process.proof(),
            "memory": await inside.process.memory_bytes(),
            "pids": list(procfs.tree(inside.process.pid)),
        }
        print(json.dumps(told), flush=True)
        await inside.process.wait()


asyncio.run(main(Path(sys.argv[1]), Path(sys.argv[2])))
