"""The gateway as a process of its own: proxies with TLS and health after it gave up its files."""

import asyncio
import os
import socket
import subprocess
import sys
from pathlib import Path

from pw_egress.client import ask, get
from pw_egress.origin import answering, serving
from pw_egress.processes import SANDBOX, attach, gateway
from pw_egress.running_proxy import ALL, listener
from pw_servers.certificates import Certificates
from pw_servers.forward_proxy import forward_proxy

from pageworker_sandbox.egress.messages import EgressPolicy, Upstream, UpstreamState

ATTACK = """
import os, sys
from pageworker_sandbox.egress import __main__ as program
async def attack(*arguments):
    for act in (lambda: open("/etc/passwd"), lambda: os.listdir("/"), lambda: os.kill(os.getppid(), 0)):
        try:
            act()
            sys.stderr.write("done ")
        except OSError as error:
            sys.stderr.write(f"{error.errno} ")
program.serve = attack
CONFINE
sys.exit(program.main())
"""


def attacked(confine: str, *descriptors: int) -> str:
    """What code in the place of the server may do."""
    words = [sys.executable, "-c", ATTACK.replace("CONFINE", confine)]
    words += ["--channel-fd", str(descriptors[0]), "--dialer-fd", str(descriptors[1])]
    environment = {**os.environ, "PYTHONPATH": str(SANDBOX)}
    done = subprocess.run(words, pass_fds=descriptors, env=environment, capture_output=True, text=True, check=True)
    return done.stderr.strip()


def test_the_gateway_gives_up_files_and_signals_before_it_serves() -> None:
    ends = [end for _ in range(2) for end in socket.socketpair()]
    numbers = (ends[0].fileno(), ends[2].fileno())
    assert attacked("program.confine = lambda: None", *numbers) == "done done done"
    assert attacked("", *numbers) == "13 13 1"
    for end in ends:
        end.close()


async def test_proxies_with_tls_go_down_and_come_back(tmp_path: Path) -> None:
    certificates = Certificates.make(tmp_path)
    async with (
        serving(answering()) as origin,
        forward_proxy("https", lambda host, port: ("127.0.0.1", origin.port), certificates=certificates) as proxy,
        gateway(proxy.endpoint, authorities=certificates.ca.read_text()) as (supervisor, _),
    ):
        with listener() as sock:
            port = sock.getsockname()[1]
            upstreams = (Upstream(url=proxy.url, resolves=True),)
            await attach(supervisor, "r", sock, EgressPolicy(hosts=ALL, upstreams=upstreams))
        assert (await ask(port, get("http://shop.test/"))).body == b"ok"
        assert (await supervisor.usage("r")).upstream == proxy.endpoint
        proxy.die()
        assert (await ask(port, get("http://other.test/"))).egress == "proxy_unavailable"
        await proxy.come_back()
        states = []
        async with asyncio.timeout(20):
            async for notice in supervisor.notices():
                if isinstance(notice, UpstreamState):
                    states.append(notice)
                if len(states) == 2:
                    break
        assert states == [
            UpstreamState(url=proxy.url, up=False, reason="refused"),
            UpstreamState(url=proxy.url, up=True),
        ]
        assert (await ask(port, get("http://other.test/"))).body == b"ok"
