"""`python -m browser_faults [--popups N] [--only NAME]`: the last line is JSON; the exit code is 1 if one failed."""

import argparse
import asyncio
import json
import sys
import time

from browser_faults.faults import FAULTS, full_disk
from browser_faults.scene import fault_scene

TAIL = 60
"""Lines of the worker's log that are printed when a fault fails."""


async def main() -> int:
    """Run them one after the other on one worker, and return the exit code."""
    parser = argparse.ArgumentParser(prog="browser_faults", description=__doc__)
    parser.add_argument("--popups", type=int, default=500)
    parser.add_argument("--only", action="append", choices=[fault.__name__ for fault in FAULTS])
    given = parser.parse_args()
    seconds: dict[str, float] = {}
    skipped: list[str] = []
    async with fault_scene(given.popups) as scene:
        for fault in FAULTS:
            if given.only and fault.__name__ not in given.only:
                continue
            if fault is full_disk and scene.disk is None:
                skipped.append(fault.__name__)  # only root can mount a small disk
                continue
            began = time.monotonic()
            try:
                await fault(scene)
            except BaseException:
                print("".join(f"{line}\n" for line in scene.worker.log()[-TAIL:]), file=sys.stderr)
                raise
            seconds[fault.__name__] = round(time.monotonic() - began, 1)
            print(f"{fault.__name__}: {seconds[fault.__name__]} s", flush=True)
    print(json.dumps({"suite": "browser_faults", "faults": len(seconds), "skipped": skipped, "seconds": seconds}))
    return 0


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
