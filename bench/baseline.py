"""Contender: the loop written by hand, in its own process."""

import asyncio
import json
import sys

from bench.process_tree import ProcessTree
from bench.run import BenchRun, BenchSample

RUN_SECONDS = 300.0


async def measure(site_port: int, jobs: int, pages: int, browser: str, tree: ProcessTree) -> BenchSample:
    """Run one round. Raises WrongResult, TimeoutError; EOFError if the loop ends too soon."""
    run = BenchRun(jobs, tree)
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bench.limit", f"http://127.0.0.1:{site_port}", str(jobs), str(pages), browser),
        stdout=asyncio.subprocess.PIPE,
        limit=1024 * 1024,
    )
    assert process.stdout
    try:
        async with asyncio.timeout(RUN_SECONDS), tree.watched():
            while not run.done:
                line = await process.stdout.readline()
                if not line:
                    raise EOFError("the loop written by hand ended too soon")
                run.result(*json.loads(line))
        await process.wait()
        return run.sample()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
        tree.kill()
