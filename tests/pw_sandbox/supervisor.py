"""A supervisor to be killed: starts a cell with a browser, tells which pids it has, and waits for ever.

`python -m pw_sandbox.supervisor PROFILE BROWSER`; one JSON line on stdout.
"""

import asyncio
import json
import sys
from pathlib import Path

from pageworker_sandbox.launch import procfs
from pw_sandbox import cells


async def main(profile: Path, browser: Path) -> None:
    async with cells.cell(cells.host(browser), cells.spec(profile)) as inside:
        version = await inside.browse(browser)
        told = {
            "version": version,
            "proof": await inside.cell.proof(),
            "memory": await inside.cell.memory_bytes(),
            "pids": list(procfs.tree(inside.cell.pid)),
        }
        print(json.dumps(told), flush=True)
        await inside.cell.wait()


asyncio.run(main(Path(sys.argv[1]), Path(sys.argv[2])))
