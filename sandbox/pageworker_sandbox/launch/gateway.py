"""The egress gateway and its dialer: two sandboxed processes that start together and depend on each other."""

import asyncio
import itertools
import socket
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from msgspec.structs import replace

from pageworker_sandbox.dialer.messages import FROM_SUPERVISOR, TO_SUPERVISOR, DialRules, RulesAccepted, RulesRefused
from pageworker_sandbox.egress.errors import InvalidRules
from pageworker_sandbox.launch.authorities import trusted_authorities
from pageworker_sandbox.launch.cgroup import CPU_WEIGHT
from pageworker_sandbox.launch.errors import LaunchFailed
from pageworker_sandbox.launch.fd_stack import FdStack
from pageworker_sandbox.launch.host import Host
from pageworker_sandbox.launch.launch_plan import ProcessLimits
from pageworker_sandbox.launch.program import SandboxProgram
from pageworker_sandbox.launch.root_layout import dialer_mounts, gateway_mounts
from pageworker_sandbox.launch.sandboxed_process import ExitStatus, SandboxedProcess
from pageworker_sandbox.launch.start import START_SECONDS, start
from pageworker_sandbox.wire.channel import Channel
from pageworker_sandbox.wire.errors import WireError

SHARED_CPU_WEIGHT = 10 * CPU_WEIGHT
"""Every runner of the worker waits for gateway and dialer."""
LIMITS = ProcessLimits(memory_bytes=1024**3, processes=256, open_files=65536)


@dataclass(frozen=True)
class GatewayUsers:
    """User ids of gateway and dialer; None if the supervisor is not root."""

    gateway: int | None
    dialer: int | None


class GatewayProcesses:
    """Gateway and dialer, seen from outside. `channel` is the gateway's; its user closes it."""

    def __init__(
        self, gateway: SandboxedProcess, dialer: SandboxedProcess, dialer_channel: Channel, *, landlock_ports: bool
    ) -> None:
        self.channel = gateway.channel
        self.pids = {"gateway": gateway.pid, "dialer": dialer.pid}
        self._gateway = gateway
        self._dialer = dialer
        self._dialer_channel = dialer_channel
        self._landlock_ports = landlock_ports
        self._numbers = itertools.count(1)
        self._one_at_a_time = asyncio.Lock()

    @property
    def stderr(self) -> str:
        """The last bytes of output of both processes. Untrusted."""
        return self._gateway.stderr + self._dialer.stderr

    async def proof(self) -> dict[str, str]:
        """What /proc shows of both processes. Raises LaunchFailed if a mechanism of the sandbox is missing."""
        dialer = await self._dialer.proof()
        return {
            **await self._gateway.proof(),
            **{f"dialer_{name}": value for name, value in dialer.items()},
            "dialer_landlock_ports": str(self._landlock_ports).lower(),
        }

    async def set_rules(self, rules: DialRules) -> None:
        """Replace the dialer's rules. On return they are in force for new connections; open ones stay.

        Landlock keeps the ports of the rules that the dialer was started with. Raises InvalidRules if the dialer
        keeps the old ones; WireError if it has ended, and the gateway ends with it.
        """
        async with self._one_at_a_time:
            number = next(self._numbers)
            await self._dialer_channel.send(replace(rules, number=number))
            # A caller that was cancelled left its answer unread.
            while True:
                match (await self._dialer_channel.receive())[0]:
                    case RulesAccepted(number=answered) if answered == number:
                        return
                    case RulesRefused(number=answered, error=error) if answered == number:
                        raise InvalidRules(error)

    def kill(self) -> None:
        """End both processes now."""
        self._gateway.kill()
        self._dialer.kill()

    async def wait(self) -> ExitStatus:
        """Wait until no process of either sandbox is left. Returns how the gateway ended."""
        status = await self._gateway.wait()
        self._dialer.kill()  # the dialer ends with the gateway by itself, unless it is stopped (SIGSTOP)
        await self._dialer.wait()
        self._dialer_channel.close()
        return status


async def launch_gateway(
    host: Host, users: GatewayUsers, rules: DialRules, proxy_ca: Path | None = None
) -> GatewayProcesses:
    """Start both processes. `proxy_ca`: PEM certificates that sign those of `https://` upstream proxies, besides the
    system's. Raises LaunchFailed, OSError (`proxy_ca` cannot be read).
    """
    authorities = trusted_authorities(proxy_ca)
    for_gateway, for_dialer = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
    with for_gateway, for_dialer:
        dialer = await start(host, dialer_program(host, users.dialer, for_dialer.fileno()))
        channel = Channel(dialer.channel, outgoing=FROM_SUPERVISOR, incoming=TO_SUPERVISOR)
        try:
            landlock_ports = await _send_rules(channel, rules)
            if "landlock.net" in host.required and not landlock_ports:
                raise LaunchFailed("the right landlock.net is missing in the dialer, and sandbox.require names it")
            with ExitStack() as stack:
                ca_fd = FdStack(stack).memfd(authorities)
                gateway = await start(host, gateway_program(host, users.gateway, for_gateway.fileno(), ca_fd))
        except BaseException as error:
            dialer.kill()
            await asyncio.shield(dialer.wait())
            channel.close()
            if isinstance(error, WireError | TimeoutError):
                raise LaunchFailed(f"the dialer did not start: {dialer.stderr.strip() or error!r}") from error
            raise
    return GatewayProcesses(gateway, dialer, channel, landlock_ports=landlock_ports)


async def _send_rules(channel: Channel, rules: DialRules) -> bool:
    """Whether Landlock enforces the ports of the rules in the dialer too."""
    async with asyncio.timeout(START_SECONDS):
        await channel.send(rules)
        answer, _ = await channel.receive()
    return isinstance(answer, RulesAccepted) and answer.landlock_ports


def gateway_program(host: Host, uid: int | None, dialer_fd: int, ca_fd: int | None = None) -> SandboxProgram:
    """`python -m pageworker_sandbox.egress --channel-fd N --dialer-fd M --ca-fd K`, without any network."""
    return SandboxProgram(
        name="gateway",
        module="pageworker_sandbox.egress",
        policy="gateway",
        mounts=gateway_mounts(host),
        uid=uid,
        limits=LIMITS,
        cpu_weight=SHARED_CPU_WEIGHT,
        passed={"--dialer-fd": dialer_fd, **({} if ca_fd is None else {"--ca-fd": ca_fd})},
    )


def dialer_program(host: Host, uid: int | None, gateway_fd: int) -> SandboxProgram:
    """`python -m pageworker_sandbox.dialer --channel-fd N --gateway-fd M`, in the host's network."""
    return SandboxProgram(
        name="dialer",
        module="pageworker_sandbox.dialer",
        policy="dialer",
        mounts=dialer_mounts(host),
        uid=uid,
        limits=LIMITS,
        cpu_weight=SHARED_CPU_WEIGHT,
        network=True,
        passed={"--gateway-fd": gateway_fd},
    )
