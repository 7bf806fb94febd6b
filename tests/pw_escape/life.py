"""A supervisor for attacks that outlive it: `python -m pw_escape.life FOLDER MECHANISM...`."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from pw_sandbox import agent, gone, sandboxes

from pageworker_sandbox.launch import procfs
from pw_escape import weaken

GONE_SECONDS = 2.0


async def supervise(folder: Path, without: frozenset[str]) -> None:
    """Start a sandbox, report its pids from outside to inside, wait for ever."""
    targets = weaken.HostTargets((), None, folder)
    where, spec = sandboxes.host(sandboxes.HEADLESS), sandboxes.spec(folder)
    process = await weaken.start(where, sandboxes.program(where, spec), without, targets)
    # The program inside does not read its channel, so it does not end with the channel.
    deaf = json.dumps({"code": "import time; time.sleep(1000)"}).encode()
    process.channel.sendall(agent.HEADER.pack(len(deaf)) + deaf)
    print(json.dumps(list(procfs.tree(process.pid))), flush=True)
    await asyncio.Event().wait()


async def attack(folder: Path, code: str, without: frozenset[str]) -> dict[str, str]:
    """`code` is `KILLED: SURVIVOR`. The attack succeeds where SURVIVOR lives on after KILLED was killed."""
    victim, survivor = code.split(": ")
    command = [sys.executable, "-m", "pw_escape.life", str(folder), *sorted(without)]
    process = await asyncio.create_subprocess_exec(*command, stdout=subprocess.PIPE)
    assert process.stdout is not None
    outer, *_, program = json.loads(await process.stdout.readline())
    pids = {"supervisor": process.pid, "bubblewrap": outer, "program": program}
    watched = gone.watch([pids[survivor]])
    os.kill(pids[victim], signal.SIGKILL)
    left = await asyncio.to_thread(gone.left, watched, GONE_SECONDS)
    _end((program, outer, process.pid))
    await process.wait()
    return {"kind": "" if left else "Missed", "text": f"{survivor} has ended"}


def _end(pids: Iterable[int]) -> None:
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


if __name__ == "__main__":
    asyncio.run(supervise(Path(sys.argv[1]), frozenset(sys.argv[2:])))
