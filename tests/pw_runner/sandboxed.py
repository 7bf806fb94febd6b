"""A runner under the real launcher: every namespace, seccomp, Landlock."""

import os
import socket
from functools import cache

from pageworker_sandbox.launch import Host, SandboxSpec, launch, survey
from pw_runner.supervisor import Supervisor

UID = 1_950_000_000 + os.getpid() % 100_000
"""This process's own: the kernel counts processes per user."""


@cache
def host() -> Host:
    """This machine, surveyed once per process."""
    return survey(None, None)


class Sandboxed(Supervisor):
    """A runner in its sandbox."""

    async def spawn(self) -> socket.socket:
        """Through the launcher."""
        uid = UID if os.geteuid() == 0 else None
        self._user(UID)
        spec = SandboxSpec("r-1", uid, self.profile, memory_bytes=3 * 1024**3, processes=1000)
        self.sandboxed_process = await launch(host(), spec)
        return self.sandboxed_process.channel

    async def wait(self) -> int:
        """Until no process of the tree is left; the exit code."""
        status = await self.sandboxed_process.wait()
        return status.code if status.code is not None else -(status.signal or 0)

    def kill(self) -> None:
        """End the tree now."""
        self.sandboxed_process.kill()
