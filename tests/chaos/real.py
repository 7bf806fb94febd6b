"""The product's own components with real runners and browsers, and faults from outside the process."""

import asyncio
import os
import random
import signal
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from pw_daemon.processes import below

from pageworker_sandbox.launch import Host
from pageworker_supervisor.components import Components

GATEWAY = "pageworker_sandbox.egress"
VITAL = ("pageworker_runner", "run-driver", "--remote-debugging-pipe")
"""Words in the command lines of a runner's interpreter, of the driver, and of the browser's processes."""


class RealComponents(Components):
    """The components, unchanged."""

    _sound: Host | None = None
    _broken_until = 0.0

    def break_gateway(self, seconds: float) -> None:
        """Kill the egress gateway. Its launcher fails for `seconds`, so that no new gateway starts."""
        gateway = self.gateway
        # Two such faults may overlap: the gateway is repaired at the end of the later one.
        self._sound = sound = self._sound or gateway._host
        gateway._host = replace(sound, bubblewrap=Path("/bin/false"))
        until = self._broken_until = asyncio.get_running_loop().time() + seconds
        asyncio.get_running_loop().call_at(until, self._repair_gateway, until)
        for pid, line in below(os.getpid()).items():
            if GATEWAY in line and "bwrap" not in line:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)

    def _repair_gateway(self, until: float) -> None:
        if until == self._broken_until and self._sound is not None:
            self.gateway._host = self._sound

    def hit(self, seconds: float | None) -> None:
        """Kill a random process of a random busy runner (`None`), or stop it for `seconds`."""
        busy = [runner for runner in self.fleet.runners.values() if runner.taken and runner.process is not None]
        if not busy:
            return
        process = random.choice(busy).process
        assert process is not None
        vital = [pid for pid, line in below(process.pid).items() if any(word in line for word in VITAL)]
        if not vital:
            return
        victim = random.choice(vital)
        with suppress(ProcessLookupError):
            if seconds is None:
                os.kill(victim, signal.SIGKILL)
            else:
                pidfd = os.pidfd_open(victim)
                os.kill(victim, signal.SIGSTOP)
                asyncio.get_running_loop().call_later(seconds, _continue, pidfd)


def _continue(pidfd: int) -> None:
    with suppress(ProcessLookupError):
        signal.pidfd_send_signal(pidfd, signal.SIGCONT)
    os.close(pidfd)


def left(uids: range) -> list[str]:
    """One line per living process of the users that only runners and gateways have."""
    found = []
    for status in Path("/proc").glob("[0-9]*/status"):
        with suppress(OSError):
            words = dict(line.split(":\t", 1) for line in status.read_text().splitlines() if ":\t" in line)
            if int(words["Uid"].split()[0]) in uids and not words["State"].startswith("Z"):
                found.append(f"process {status.parent.name} ({words['Name']}) is left")
    return found
