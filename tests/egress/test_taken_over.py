"""What code inside a gateway process can reach: no port of the worker, in any way. Each way works in a control."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from pw_daemon import HEADLESS_SHELL, DaemonProcess, place
from pw_egress.host_addresses import answering_servers, own_addresses
from pw_sandbox import agent, sandboxes
from pw_sandbox.sandboxes import AgentSandbox, agent_in
from pw_servers.ports import free_port

from pageworker_sandbox.confine import landlock
from pageworker_sandbox.dialer.messages import FROM_SUPERVISOR, TO_SUPERVISOR, DialRules
from pageworker_sandbox.launch import Host, survey
from pageworker_sandbox.launch.gateway import dialer_program, gateway_program
from pageworker_sandbox.launch.mounts import Bind
from pageworker_sandbox.launch.packages import CODE
from pageworker_sandbox.launch.seccomp import PolicyName
from pageworker_sandbox.launch.start import start
from pageworker_sandbox.wire.channel import Channel
from pageworker_supervisor.config.settings import EgressSettings
from pageworker_supervisor.runners.dial_rules import dial_rules

pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.sandbox,
    pytest.mark.browser,
    pytest.mark.redis,
    pytest.mark.timeout(120),
]

TRY = """
import socket
def tried(family, address):
    try:
        with socket.socket(getattr(socket, family), socket.SOCK_STREAM) as sock:
            sock.settimeout(3)
            sock.connect(tuple(address) if isinstance(address, list) else address)
            sock.sendall(b"PING\\r\\n\\r\\n")
            return "answered" if sock.recv(16) else "closed"
    except OSError as error:
        return f"errno {error.errno}"
answer = [tried(family, address) for family, address in places]
"""
ASK_DIALER = """
import asyncio, socket
from ipaddress import ip_address
from pageworker_sandbox.dialer.client import DialerClient
if "client" not in globals():
    client = DialerClient(socket.socket(fileno=dialer_fd))
    running = asyncio.get_running_loop().create_task(client.run())
async def dialled(address, port):
    try:
        sock = await client.connector("mine").connect(ip_address(address), port)
    except Exception as error:
        return str(error)
    with sock:
        loop = asyncio.get_running_loop()
        await loop.sock_sendall(sock, b"PING\\r\\n\\r\\n")
        return "answered" if await asyncio.wait_for(loop.sock_recv(sock, 16), 3) else "closed"
answer = [await dialled(address, port) for address, port in places]
"""
REUSE = """
import socket, struct
from ipaddress import ip_address
def spoke(sock):
    sock.settimeout(3)
    sock.sendall(b"PING\\r\\n\\r\\n")
    return "answered" if sock.recv(16) else "closed"
def anew(sock):
    libc.connect(sock.fileno(), struct.pack("=H14x", socket.AF_UNSPEC), 16) and fail()
    sock.connect(aim)
    return spoke(sock)
def over(sock):
    sock.connect(aim)
    return spoke(sock)
def fast_open(sock):
    libc.connect(sock.fileno(), struct.pack("=H14x", socket.AF_UNSPEC), 16)
    sock.sendto(b"PING\\r\\n\\r\\n", socket.MSG_FASTOPEN, aim)
    sock.settimeout(3)
    return "answered" if sock.recv(16) else "closed"
def fast_open_message(sock):
    libc.connect(sock.fileno(), struct.pack("=H14x", socket.AF_UNSPEC), 16)
    sock.sendmsg([b"PING\\r\\n\\r\\n"], [], socket.MSG_FASTOPEN, aim)
    sock.settimeout(3)
    return "answered" if sock.recv(16) else "closed"
def serve(sock):
    libc.connect(sock.fileno(), struct.pack("=H14x", socket.AF_UNSPEC), 16) and fail()
    sock.bind(("127.0.0.1", 0)); sock.listen()
    return "answered"
import ctypes
libc = ctypes.CDLL(None, use_errno=True)
def fail():
    raise OSError(ctypes.get_errno(), "")
def result(way):
    sock = socket.socket(fileno=socket.recv_fds(channel, 1, 1)[1][0])
    try:
        with sock:
            return way(sock)
    except OSError as error:
        return f"errno {error.errno}"
channel.setblocking(True)
answer = result(globals()[way])
channel.setblocking(False)
"""
REUSES = ("anew", "fast_open", "fast_open_message", "serve")
ENOSYS = "errno 38"


@dataclass(frozen=True)
class Ports:
    """Everything that listens on this host, for the worker and for others."""

    daemon: DaemonProcess
    redis: int
    http: int
    other: int
    """Port of another daemon, on all addresses."""
    control: Path
    abstract: str

    @property
    def worker(self) -> tuple[int, ...]:
        return (self.redis, self.http)

    def places(self, *ports: int) -> list[tuple[str, Any]]:
        """Family and address, by every spelling of this host that there is."""
        v4 = ["127.0.0.1", "127.8.9.1", "0.0.0.0", *own_addresses(socket.AF_INET)]
        v6 = ["::1", "::", "::ffff:127.0.0.1", "::ffff:0.0.0.0", *own_addresses(socket.AF_INET6)]
        v6 += [f"::ffff:{address}" for address in own_addresses(socket.AF_INET)]
        return [
            *(("AF_INET", (address, port)) for port in ports for address in v4),
            *(("AF_INET6", (address, port)) for port in ports for address in v6),
        ]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def ports() -> AsyncIterator[Ports]:
    """A whole worker with a Redis of its own, and another daemon."""
    abstract = "\0pageworker-test-other"
    unix = socket.socket(socket.AF_UNIX)
    unix.bind(abstract)
    unix.listen()
    other = socket.create_server(("::", 0), family=socket.AF_INET6, dualstack_ipv6=True)
    redis_port = free_port()
    with answering_servers(unix, other):
        async with place() as home:
            settings: dict[str, Any] = {"browser": HEADLESS_SHELL, "redis": {"url": None, "port": redis_port}}
            with home.worker(**settings) as daemon:
                (ready,) = [line for line in daemon.log() if line.get("message") == "ready"]
                http = int(ready["http"].rpartition(":")[2])
                control = daemon.data_dir / "control.sock"
                yield Ports(daemon, redis_port, http, other.getsockname()[1], control, abstract)


@pytest.fixture(scope="module")
def host() -> Host:
    """This machine, with the agent beside the gateway's code."""
    found = survey(None, sandboxes.HEADLESS)
    return replace(found, gateway=(*found.gateway, Bind(Path(agent.__file__), CODE / "pw_agent.py")))


@asynccontextmanager
async def taken_over(host: Host, rules: DialRules) -> AsyncIterator[AgentSandbox]:
    """A gateway process that runs the attacker's code, with a real dialer."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        dialer = await start(host, dialer_program(host, _uid(1), theirs.fileno()))
        channel = Channel(dialer.channel, outgoing=FROM_SUPERVISOR, incoming=TO_SUPERVISOR)
        try:
            await channel.send(rules)
            await channel.receive()
            async with agent_in(host, gateway_program(host, _uid(0), ours.fileno())) as inside:
                yield inside
        finally:
            dialer.kill()
            await dialer.wait()
            channel.close()


@asynccontextmanager
async def as_it_was(host: Host, policy: PolicyName = "dialer") -> AsyncIterator[AgentSandbox]:
    """The same process in the host's network, with sockets: how the gateway was confined before it had a dialer."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        program = replace(gateway_program(host, _uid(0), ours.fileno()), network=True, policy=policy)
        async with agent_in(host, program) as inside:
            yield inside


def _uid(number: int) -> int | None:
    return (
        None if sandboxes.UID is None else sandboxes.UID + 70 + number
    )  # of this test alone: processes count per user


def rules(ports: Ports, **hosts: str) -> DialRules:
    """The rules that the worker sends to its dialer."""
    return dial_rules(EgressSettings(hosts=hosts), ports.worker)


async def test_no_port_of_this_host_answers_code_inside_a_gateway(host: Host, ports: Ports) -> None:
    places = ports.places(*ports.worker, ports.other)
    async with as_it_was(host) as inside:
        before = await inside.run(TRY, places=places)
    assert before.count("answered") >= 2 * 4 + 7, "the places are there"
    async with taken_over(host, rules(ports)) as inside:
        after = await inside.run(TRY, places=places)
    assert set(after) == {ENOSYS}


async def test_no_unix_socket_of_this_host_answers_code_inside_a_gateway(host: Host, ports: Ports) -> None:
    places = [("AF_UNIX", ports.abstract), ("AF_UNIX", str(ports.control))]
    async with as_it_was(host, "runner") as inside:
        assert (await inside.run(TRY, places=places))[0] == "answered"
    with socket.socket(socket.AF_UNIX) as sock:
        sock.connect(str(ports.control))
    async with taken_over(host, rules(ports)) as inside:
        assert await inside.run(TRY, places=places) == [ENOSYS, ENOSYS]


async def test_the_dialer_connects_a_gateway_to_no_port_of_this_host(host: Host, ports: Ports) -> None:
    places = [address for _, address in ports.places(*ports.worker, ports.other)]
    unguarded = DialRules(
        ports=ports.worker, targets=tuple(f"127.0.0.1:{port}" for port in (*ports.worker, ports.other))
    )
    async with taken_over(host, unguarded) as inside:
        local = [("127.0.0.1", port) for port in (*ports.worker, ports.other)]
        assert await inside.run(ASK_DIALER, places=local) == ["answered"] * 3
    async with taken_over(host, rules(ports)) as inside:
        assert set(await inside.run(ASK_DIALER, places=places)) == {"private_address"}


async def test_a_fixed_address_opens_one_port_of_this_host_and_never_the_workers(host: Host, ports: Ports) -> None:
    fixed = {f"h{n}.test": f"127.0.0.1:{port}" for n, port in enumerate((*ports.worker, ports.other))}
    async with taken_over(host, rules(ports, **fixed)) as inside:
        places = [("127.0.0.1", port) for port in (ports.redis, ports.http, ports.other)]
        places += [("::ffff:127.0.0.1", port) for port in (ports.redis, ports.http, ports.other)]
        told = await inside.run(ASK_DIALER, places=places)
        assert told == ["private_address", "private_address", "answered"] * 2
        assert await inside.run(ASK_DIALER, places=[("127.8.9.1", ports.other)]) == ["private_address"]


async def test_public_addresses_are_dialled_on_the_permitted_ports_only(host: Host, ports: Ports) -> None:
    async with taken_over(host, rules(ports)) as inside:
        places = [("93.184.216.34", port) for port in (22, 25, 6379, ports.redis)]
        assert set(await inside.run(ASK_DIALER, places=places)) == {"port_not_allowed"}


async def reused(inside: AgentSandbox, way: str, ports: Ports) -> str:
    """Pass a connected socket in, as the dialer does, and let the attacker reuse it."""
    with socket.create_connection(("127.0.0.1", ports.other)) as passed:
        asyncio.get_running_loop().call_later(0.05, socket.send_fds, inside.process.channel, [b"s"], [passed.fileno()])
        answer: str = await inside.run(REUSE, way=way, aim=("127.0.0.1", ports.redis))
    return answer


@pytest.mark.parametrize("way", REUSES)
async def test_a_passed_socket_stays_connected_to_where_it_was(host: Host, ports: Ports, way: str) -> None:
    async with as_it_was(host, "runner") as inside:
        assert await reused(inside, way, ports) == "answered"
    async with taken_over(host, rules(ports)) as inside:
        assert await reused(inside, way, ports) == ENOSYS


async def test_a_dialer_that_was_taken_over_reaches_no_port_of_the_worker(host: Host, ports: Ports) -> None:
    if landlock.abi() < landlock.NET_ABI:
        pytest.skip("Landlock has no rules for the network before Linux 6.7")
    places = [("AF_INET", ("127.0.0.1", port)) for port in (*ports.worker, ports.other)]
    restrict = """
from pageworker_sandbox.dialer.__main__ import restrict
from pageworker_sandbox.dialer.targets import parse_rules
answer = restrict(parse_rules((80, 443), (f"127.0.0.1:{other}",), ()))
"""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        async with agent_in(host, dialer_program(host, _uid(1), theirs.fileno())) as inside:
            assert await inside.run(TRY, places=places) == ["answered"] * 3
            assert await inside.run(restrict, other=ports.other) is True
            assert await inside.run(TRY, places=places) == ["errno 13", "errno 13", "answered"]


CONFINE = """
from pageworker_sandbox.egress.__main__ import confine
confine()
answer = True
"""
FILES = """
import os
def tried(act):
    try:
        act()
        return "done"
    except OSError as error:
        return f"errno {error.errno}"
answer = [
    tried(lambda: open("/opt/pageworker/start.py").read()),
    tried(lambda: os.listdir("/opt/pageworker/code")),
    tried(lambda: open("/proc/self/environ").read()),
    tried(lambda: open("/dev/null", "w").write("x")),
]
"""
BIND = """
import socket
def tried():
    try:
        with socket.socket() as sock:
            sock.bind(("127.0.0.1", 0))
        return "bound"
    except OSError as error:
        return f"errno {error.errno}"
answer = tried()
"""
EACCES = "errno 13"


async def test_a_gateway_gives_up_its_files(host: Host, ports: Ports) -> None:
    async with taken_over(host, rules(ports)) as inside:
        assert await inside.run(FILES) == ["done"] * 4
        assert await inside.run(CONFINE) is True
        assert await inside.run(FILES) == [EACCES] * 4


async def test_landlock_refuses_a_gateway_tcp_even_with_the_hosts_network(host: Host, ports: Ports) -> None:
    """The dialer's filter permits sockets, so that here Landlock alone refuses."""
    if landlock.abi() < landlock.NET_ABI:
        pytest.skip("Landlock has no rules for the network before Linux 6.7")
    places = [("AF_INET", ("127.0.0.1", ports.other))]
    async with as_it_was(host) as inside:
        assert await inside.run(TRY, places=places) == ["answered"]
        assert await inside.run(BIND) == "bound"
        assert await inside.run(CONFINE) is True
        assert await inside.run(TRY, places=places) == [EACCES]
        assert await inside.run(BIND) == EACCES


async def test_the_workers_own_gateway_is_such_a_process(ports: Ports) -> None:
    """The worker's own gateway is confined like those that the tests above attack."""
    proof = ports.daemon.status().gateway_proof
    own = Path("/proc/self/ns/net").readlink()
    assert str(own) not in (proof["ns_net"], f"net:[{proof['ns_net']}]")
    assert (proof["seccomp"], proof["no_new_privs"], int(proof["cap_eff"], 16)) == ("2", "1", 0)
    assert proof["dialer_landlock_ports"] == str(landlock.abi() >= landlock.NET_ABI).lower()
    if sandboxes.UID is not None:
        assert proof["uid"] != proof["dialer_uid"]
