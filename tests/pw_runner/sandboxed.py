"""The same, with the real launcher: every namespace, seccomp, Landlock, the kernel's confinement."""

import os
import socket
from functools import cache

from pageworker_sandbox.launch import Host, SandboxSpec, launch, survey
from pw_runner.supervisor import Supervisor

UID = 1_950_000_000 + os.getpid() % 100_000
"""This process's own: the kernel counts processes per user."""


@cache
def host() -> Host:
    """This machine, looked over once."""
    return survey(None, None)


class Sandboxed(Supervisor):
    """A runner in its cell."""

    async def spawn(self) -> socket.socket:
        """Through the launcher."""
        uid = UID if os.geteuid() == 0 else None
        self._user(UID)
        spec = SandboxSpec("r-1", uid, self.profile, memory_bytes=3 * 1024**3, processes=1000)
        self.cell = await launch(host(), spec)
        return self.cell.channel

    async def wait(self) -> int:
        """Until no process of the tree is left; the exit code."""
        status = await self.cell.wait()
        return status.code if status.code is not None else -(status.signal or 0)

    def kill(self) -> None:
        """End the tree now."""
        self.cell.kill()
