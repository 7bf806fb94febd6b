"""The egress gateway and its dialer: two cells, started together, each of no use without the other."""

import asyncio
import socket
from dataclasses import dataclass

from pageworker_sandbox.dialer.messages import FROM_SUPERVISOR, TO_SUPERVISOR, Rules, RulesAccepted
from pageworker_sandbox.launch.errors import LaunchFailed
from pageworker_sandbox.launch.host import Host
from pageworker_sandbox.launch.launch_plan import ProcessLimits
from pageworker_sandbox.launch.root_layout import dialer_mounts, gateway_mounts
from pageworker_sandbox.launch.sandboxed_process import ExitStatus, SandboxedProcess
from pageworker_sandbox.launch.start import START_SECONDS, Program, start
from pageworker_sandbox.wire.channel import Channel
from pageworker_sandbox.wire.errors import WireError

LIMITS = ProcessLimits(memory_bytes=1024**3, processes=256, open_files=65536)


@dataclass(frozen=True)
class GatewayUsers:
    """User ids of the two; None where we are not root."""

    gateway: int | None
    dialer: int | None


class GatewayCells:
    """Both, seen from outside. `channel` is the gateway's, ours to close by whoever speaks on it."""

    def __init__(
        self, gateway: SandboxedProcess, dialer: SandboxedProcess, dialer_channel: Channel, *, landlock_ports: bool
    ) -> None:
        self.channel = gateway.channel
        self.pids = {"gateway": gateway.pid, "dialer": dialer.pid}
        self._gateway = gateway
        self._dialer = dialer
        self._dialer_channel = dialer_channel
        self._landlock_ports = landlock_ports

    @property
    def stderr(self) -> str:
        """The last of what both wrote. Untrusted."""
        return self._gateway.stderr + self._dialer.stderr

    async def proof(self) -> dict[str, str]:
        """The kernel's words about both. Raises LaunchFailed where they are not as they must be."""
        dialer = await self._dialer.proof()
        return {
            **await self._gateway.proof(),
            **{f"dialer_{name}": word for name, word in dialer.items()},
            "dialer_landlock_ports": str(self._landlock_ports).lower(),
        }

    def kill(self) -> None:
        """End both now."""
        self._gateway.kill()
        self._dialer.kill()

    async def wait(self) -> ExitStatus:
        """Until no process of either is left; how the gateway ended."""
        status = await self._gateway.wait()
        self._dialer.kill()  # it ends with the gateway, unless it is stopped
        await self._dialer.wait()
        self._dialer_channel.close()
        return status


async def launch_gateway(host: Host, users: GatewayUsers, rules: Rules) -> GatewayCells:
    """Start both. Raises LaunchFailed, OSError."""
    for_gateway, for_dialer = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
    with for_gateway, for_dialer:
        dialer = await start(host, dialer_program(host, users.dialer, for_dialer.fileno()))
        channel = Channel(dialer.channel, outgoing=FROM_SUPERVISOR, incoming=TO_SUPERVISOR)
        try:
            restricted = await _tell(channel, rules)
            gateway = await start(host, gateway_program(host, users.gateway, for_gateway.fileno()))
        except BaseException as error:
            dialer.kill()
            await asyncio.shield(dialer.wait())
            channel.close()
            if isinstance(error, WireError | TimeoutError):
                raise LaunchFailed(f"no dialer: {dialer.stderr.strip() or error!r}") from error
            raise
    return GatewayCells(gateway, dialer, channel, landlock_ports=restricted)


async def _tell(channel: Channel, rules: Rules) -> bool:
    async with asyncio.timeout(START_SECONDS):
        await channel.send(rules)
        answer, _ = await channel.receive()
    return isinstance(answer, RulesAccepted) and answer.landlock_ports


def gateway_program(host: Host, uid: int | None, dialer_fd: int) -> Program:
    """`python -m pageworker_sandbox.egress --channel-fd N --dialer-fd M`, without any network."""
    return Program(
        name="gateway",
        module="pageworker_sandbox.egress",
        policy="gateway",
        mounts=gateway_mounts(host),
        uid=uid,
        limits=LIMITS,
        passed={"--dialer-fd": dialer_fd},
    )


def dialer_program(host: Host, uid: int | None, gateway_fd: int) -> Program:
    """`python -m pageworker_sandbox.dialer --channel-fd N --gateway-fd M`, in our network."""
    return Program(
        name="dialer",
        module="pageworker_sandbox.dialer",
        policy="dialer",
        mounts=dialer_mounts(host),
        uid=uid,
        limits=LIMITS,
        network=True,
        passed={"--gateway-fd": gateway_fd},
    )
