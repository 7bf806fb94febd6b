"""Ends a process that this one has started."""

import asyncio


async def end_process(process: asyncio.subprocess.Process, seconds: float) -> bool:
    """Ask the process to end (SIGTERM), and kill it after `seconds`. Returns when it has ended.

    False: it was killed.
    """
    if process.returncode is not None:
        return True
    process.terminate()
    try:
        async with asyncio.timeout(seconds):
            await process.wait()
    except TimeoutError:
        process.kill()
        await process.wait()
        return False
    return True
