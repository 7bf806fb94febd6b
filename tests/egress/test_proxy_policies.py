"""Proxy policies with real proxies: who gets a request, what happens when one fails, and that nothing else gets it."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

import pytest
from pw_egress.client import Response, ask, client, get
from pw_egress.origin import Origin, answering, serving
from pw_egress.running_proxy import ALL, RunningProxy, running
from pw_servers.certificates import Certificates
from pw_servers.forward_proxy import Answer, ForwardProxy, Kind, forward_proxy
from pw_servers.ports import free_port

from pageworker_sandbox.dialer.targets import parse_rules
from pageworker_sandbox.egress.messages import EgressPolicy, Upstream, UpstreamState

KINDS: tuple[Kind, ...] = get_args(Kind)
NAMES = {"shop.test": ["93.184.216.34"], "other.test": ["93.184.216.35"]}
LOGIN = ("bob", "s3cret")


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return Certificates.make(tmp_path_factory.mktemp("ca"))


@dataclass
class Net:
    """An origin, proxies that reach only it, and the gateway's side of a runner."""

    origin: Origin
    proxies: list[ForwardProxy]
    runner: RunningProxy

    async def get(self, url: str = "http://shop.test/") -> Response:
        return await ask(self.runner.port, get(url))

    async def tunnel(self, host: str = "shop.test") -> bytes:
        """Status line of a CONNECT, and the answer of a request inside."""
        async with client(self.runner.port) as runner:
            runner.writer.write(f"CONNECT {host}:443 HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
            head = await runner.reader.readuntil(b"\r\n\r\n")
            if b" 200 " not in head:
                return head
            runner.writer.write(b"GET / HTTP/1.1\r\nHost: shop.test\r\nConnection: close\r\n\r\n")
            return await runner.reader.readuntil(b"ok")

    @property
    def asked(self) -> list[int]:
        """How many requests each proxy got."""
        return [len(proxy.asked) for proxy in self.proxies]

    @property
    def used(self) -> str:
        return self.runner.runner_proxy.usage().upstream


def policy(*proxies: ForwardProxy, login: tuple[str, str] = LOGIN, resolves: bool = False, **more: Any) -> EgressPolicy:
    upstreams = [Upstream(url=p.url, username=login[0], password=login[1], resolves=resolves) for p in proxies]
    return EgressPolicy(**{"hosts": ALL, "upstreams": tuple(upstreams), "connect_seconds": 5.0, **more})


@asynccontextmanager
async def net(
    certificates: Certificates, *kinds: Kind, make: Callable[..., EgressPolicy] = policy, **more: Any
) -> AsyncIterator[Net]:
    async with AsyncExitStack() as stack, serving(answering()) as origin:

        def way(host: str, port: int) -> tuple[str, int]:
            return "127.0.0.1", origin.port

        proxies = [
            await stack.enter_async_context(forward_proxy(kind, way, login=LOGIN, certificates=certificates))
            for kind in kinds
        ]
        ca = certificates.ca.read_text()
        async with running(make(*proxies, **more), names=NAMES, authorities=ca) as runner:
            yield Net(origin, proxies, runner)


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110 - the probe's own task makes it true
            await asyncio.sleep(0.01)


@pytest.mark.parametrize("resolves", [False, True])
@pytest.mark.parametrize("kind", KINDS)
async def test_each_kind_carries_plain_requests_and_tunnels(
    certificates: Certificates, kind: Kind, resolves: bool
) -> None:
    async with net(certificates, kind, resolves=resolves) as parts:
        assert (await parts.get()).body == b"ok"
        assert (await parts.tunnel()).endswith(b"ok")
        host = "shop.test" if resolves else "93.184.216.34"
        assert parts.proxies[0].asked == [f"{host}:80", f"{host}:443"]
        assert set(parts.proxies[0].logins) == {"bob:s3cret"}
        assert parts.used == parts.proxies[0].endpoint
        assert parts.runner.changes == []
        for head in parts.origin.heads:
            assert b"roxy" not in head
            assert b"Ym9iOnMzY3JldA" not in head, "the origin gets no credentials"


@pytest.mark.parametrize("resolves", [False, True])
@pytest.mark.parametrize("budget", [1, 20, 70])
@pytest.mark.parametrize("kind", KINDS)
async def test_a_budget_that_ends_in_the_handshake_is_no_fault_of_the_proxy(
    certificates: Certificates, kind: Kind, budget: int, resolves: bool
) -> None:
    """Other runners use the same proxies. Neither is down, and the second one is not tried."""
    async with net(certificates, kind, kind, budget_bytes=budget, resolves=resolves) as parts:
        assert (await parts.get()).egress == "budget_exhausted"
        assert b"budget_exhausted" in await parts.tunnel()
        assert parts.runner.changes == []
        assert parts.asked[1] == 0
        usage = parts.runner.runner_proxy.usage()
        assert usage.up_bytes + usage.down_bytes <= budget
        assert {reason for reason, _ in parts.runner.refused} == {"budget_exhausted"}
        parts.runner.runner_proxy.update(policy(*parts.proxies, resolves=resolves))
        assert (await parts.get()).body == b"ok"
        assert parts.asked[1] == 0, "the first one is not doubted"


@pytest.mark.parametrize("resolves", [False, True])
@pytest.mark.parametrize("answer", ["nonsense", "close", "close_after_target", "dead"])
@pytest.mark.parametrize("kind", KINDS)
async def test_the_next_proxy_gets_what_one_fails(
    certificates: Certificates, kind: Kind, answer: Answer, resolves: bool
) -> None:
    async with net(certificates, kind, "http", resolves=resolves) as parts:
        broken, works = parts.proxies
        if str(answer) == "dead":
            broken.die()
        broken.answer = answer
        assert (await parts.get()).body == b"ok"
        assert (await parts.tunnel("other.test")).endswith(b"ok")
        assert len(works.asked) == 2
        assert len(parts.origin.heads) == 2, "each request arrived once"
        assert parts.used == works.endpoint


async def test_a_slow_proxy_gets_a_share_of_the_time(certificates: Certificates) -> None:
    async with net(certificates, "https", "socks5", "http", connect_seconds=3.0) as parts:
        for proxy in parts.proxies[:2]:
            proxy.answer = "silent"
        assert (await parts.get()).body == b"ok"
        assert parts.asked == [0, 0, 1]


@pytest.mark.parametrize("kind", KINDS)
async def test_other_credentials_are_refused_and_the_next_proxy_is_taken(
    certificates: Certificates, kind: Kind
) -> None:
    async with net(certificates, kind, "socks5") as parts:
        parts.proxies[0].login = ("bob", "changed")
        assert (await parts.get()).body == b"ok"
        assert parts.asked == [0, 1]
        await until(lambda: parts.runner.changes != [])
        state = UpstreamState(url=parts.proxies[0].url, up=False, reason="credentials")
        assert parts.runner.changes == [state]
        assert "s3cret" not in repr(state) + repr(parts.runner.runner_proxy._enforcer._policy.source)


@pytest.mark.parametrize("kind", KINDS)
async def test_a_target_that_is_down_is_not_the_proxys_fault(certificates: Certificates, kind: Kind) -> None:
    async with net(certificates, kind, "http") as parts:
        parts.proxies[0].answer = "target_down"
        assert (await parts.get()).egress in ("upstream_refused", "connection_refused")
        assert b" 502 " in await parts.tunnel()
        assert parts.asked == [2, 0], "no other proxy was tried"
        assert parts.runner.changes == []


@pytest.mark.parametrize("resolves", [False, True])
async def test_without_a_proxy_that_works_a_request_is_refused_by_name(
    certificates: Certificates, resolves: bool
) -> None:
    async with net(certificates, *KINDS, resolves=resolves) as parts:
        for proxy in parts.proxies:
            proxy.die()
        for _ in range(2):
            response = await parts.get()
            assert (response.status, response.egress) == (403, "proxy_unavailable")
        assert b"proxy_unavailable" in await parts.tunnel()
        assert parts.origin.connections == 0, "nothing went another way"
        assert parts.runner.refused[0] == ("proxy_unavailable", "shop.test:80")
        usage = parts.runner.runner_proxy.usage()
        assert (usage.refused["proxy_unavailable"], usage.upstream) == (3, "")
        assert sorted(change.url for change in parts.runner.changes) == sorted(proxy.url for proxy in parts.proxies)
        assert {change.reason for change in parts.runner.changes} == {"refused"}


async def test_a_policy_may_permit_the_direct_way(certificates: Certificates) -> None:
    """The target's address is one that nothing here reaches, so the direct way is seen by its failure."""
    async with net(certificates, "http", without_upstream="direct", connect_seconds=1.0) as parts:
        assert (await parts.get()).body == b"ok"
        assert parts.used == parts.proxies[0].endpoint
        parts.proxies[0].die()
        assert (await parts.get("http://other.test/")).egress != "proxy_unavailable"


async def test_a_fixed_host_needs_no_proxy(certificates: Certificates) -> None:
    async with serving(answering()) as fixed, forward_proxy("http") as dead:
        dead.die()
        chosen = policy(dead, fixed={"inner.test": f"127.0.0.1:{fixed.port}"})
        async with running(chosen) as runner:
            assert (await ask(runner.port, get("http://inner.test/"))).body == b"ok"
            assert runner.runner_proxy.usage().upstream == ""


@pytest.mark.parametrize("kind", KINDS)
async def test_a_proxy_comes_back_to_its_old_place_without_a_request(certificates: Certificates, kind: Kind) -> None:
    async with net(certificates, kind, "http") as parts:
        first, second = parts.proxies
        first.die()
        await parts.get()
        assert parts.asked == [0, 1]
        await parts.get("http://other.test/")
        assert parts.asked == [0, 2]
        await first.come_back()
        await until(lambda: len(parts.runner.changes) == 2)
        down, up = parts.runner.changes
        assert (down.up, down.reason, up.up, up.reason) == (False, "refused", True, None)
        assert down.url == up.url == first.url
        assert first.asked == [], "no target was named"
        await parts.get("http://other.test/")
        assert parts.asked == [1, 2]
        assert parts.used == first.endpoint
        assert second.connections == 2


async def test_a_silent_proxy_is_found_out_by_a_probe(certificates: Certificates) -> None:
    """It accepts connections and logins. Only its answer to a target fails, and that may be the target's fault."""
    async with net(certificates, "http", "http", connect_seconds=1.0) as parts:
        first, _ = parts.proxies
        first.answer = "silent_after_target"
        assert (await parts.tunnel()).endswith(b"ok")
        await until(lambda: first.probes == 1)
        assert parts.runner.changes == [], "the probe passed: other targets still go through it"
        first.answer = "serve"
        assert (await parts.tunnel("other.test")).endswith(b"ok")
        assert parts.asked == [2, 1]
        assert (await parts.tunnel()).endswith(b"ok")
        assert parts.asked == [2, 2], "the doubted target stays with the other proxy for a while"


async def test_a_request_with_a_body_is_sent_once(certificates: Certificates) -> None:
    async with net(certificates, "http", "http", resolves=True) as parts:
        parts.proxies[0].answer = "close_after_target"
        post = b"POST http://shop.test/ HTTP/1.1\r\nHost: shop.test\r\nContent-Length: 4\r\n\r\nbody"
        response = await ask(parts.runner.port, post)
        assert response.failure is not None
        assert response.egress in ("empty_response", "connection_reset")
        delete = b"DELETE http://shop.test/ HTTP/1.1\r\nHost: shop.test\r\n\r\n"
        assert (await ask(parts.runner.port, delete)).failure is not None
        assert parts.asked == [2, 0]
        assert (await parts.get()).body == b"ok"
        assert parts.asked == [3, 1], "a GET may be repeated"


async def test_names_are_ordered_by_the_host_and_the_tenant(certificates: Certificates) -> None:
    async with net(certificates, "http", "http", "http", order="host", salt="acme", resolves=True) as parts:
        for number in range(24):
            await parts.get(f"http://h{number}.test/")
            await parts.tunnel(f"h{number}.test")
        for proxy in parts.proxies:
            plain, tunnels = ([asked for asked in proxy.asked if asked.endswith(port)] for port in (":80", ":443"))
            assert [asked.partition(":")[0] for asked in plain] == [asked.partition(":")[0] for asked in tunnels]
            assert plain, "each proxy has some hosts"


async def test_a_changed_first_choice_closes_connections_and_other_changes_do_not(certificates: Certificates) -> None:
    async with net(certificates, "http", "socks5") as parts, client(parts.runner.port) as runner:
        first, second = parts.proxies
        runner.writer.write(b"CONNECT shop.test:443 HTTP/1.1\r\nHost: shop.test\r\n\r\n")
        await runner.reader.readuntil(b"\r\n\r\n")
        parts.runner.runner_proxy.update(policy(first))
        runner.writer.write(b"GET / HTTP/1.1\r\nHost: shop.test\r\n\r\n")
        assert (await runner.reader.readuntil(b"ok")).endswith(b"ok")
        parts.runner.runner_proxy.update(policy(second, first))
        assert await runner.ended()


async def test_a_policy_that_changes_while_a_connection_is_made_refuses_nothing(certificates: Certificates) -> None:
    async with net(certificates, "http") as parts:
        (proxy,) = parts.proxies

        newer = policy(proxy, login=("eve", "other"))

        def way(host: str, port: int) -> tuple[str, int]:
            parts.runner.runner_proxy.update(newer)
            return "127.0.0.1", parts.origin.port

        proxy.way = way
        assert (await parts.get()).egress == "connection_reset"
        assert parts.runner.refused == []
        proxy.login = ("eve", "other")
        newer = EgressPolicy(hosts=())
        assert (await parts.get()).egress == "host_not_allowed"
        assert parts.runner.refused == [("host_not_allowed", "shop.test:80")]


@pytest.mark.parametrize("change", ["login", "second_removed", "no_direct_way"])
async def test_a_fail_over_uses_no_route_of_an_old_policy(certificates: Certificates, change: str) -> None:
    async with net(certificates, "http", "http", without_upstream="direct") as parts:
        first, second = parts.proxies
        newer = policy(first, second)
        if change == "login":
            newer = policy(first, second, login=("eve", "other"), without_upstream="direct")
        elif change == "second_removed":
            newer = policy(first, without_upstream="direct")
        else:
            second.die()
        first.answer = "silent"
        async with asyncio.TaskGroup() as tasks:
            asking = tasks.create_task(parts.get())
            await first.changed.wait()
            parts.runner.runner_proxy.update(newer)
            first.die()
        assert asking.result().egress == "connection_reset"
        assert second.logins == []
        assert parts.runner.refused == []


async def test_a_corrected_login_leaves_nothing_of_the_old_one(certificates: Certificates) -> None:
    async with net(certificates, "socks5", login=("bob", "wrong")) as parts:
        assert (await parts.get()).egress == "proxy_unavailable"
        parts.runner.runner_proxy.update(policy(*parts.proxies))
        assert [(change.up, change.reason) for change in parts.runner.changes] == [(False, "credentials"), (True, None)]
        assert (await parts.get()).body == b"ok"
        assert parts.runner.monitor._health == {}
    assert parts.runner.monitor._named == {}


async def test_a_certificate_of_another_authority_is_refused(certificates: Certificates, tmp_path: Path) -> None:
    other = Certificates.make(tmp_path)
    async with net(certificates, "https") as parts:
        ca = other.ca.read_text()
        async with running(policy(*parts.proxies), names=NAMES, authorities=ca) as stranger:
            assert (await ask(stranger.port, get("http://shop.test/"))).egress == "proxy_unavailable"
            assert [change.reason for change in stranger.changes] == ["tls"]
        assert parts.proxies[0].logins == [], "no credentials before the proxy is known"


async def test_a_certificate_of_another_name_is_refused(certificates: Certificates) -> None:
    async with net(certificates, "https") as parts:
        named = EgressPolicy(hosts=ALL, upstreams=(Upstream(url=f"https://proxy.test:{parts.proxies[0].port}"),))
        ca, short = certificates.ca.read_text(), {"proxy.test": ["127.0.0.1"]}
        async with running(named, names=NAMES, authorities=ca, short_names=short) as runner:
            assert (await ask(runner.port, get("http://shop.test/"))).egress == "proxy_unavailable"
            assert [change.reason for change in runner.changes] == ["tls"]


@pytest.mark.parametrize("address", ["127.0.0.1", "0.0.0.0", "::1", "::ffff:127.0.0.1"])
async def test_a_proxy_that_resolves_to_a_port_of_the_worker_gets_nothing(address: str) -> None:
    async with serving(answering()) as worker:
        chosen = EgressPolicy(hosts=ALL, upstreams=(Upstream(url=f"http://proxy.test:{worker.port}"),))
        rules = parse_rules((80,), (f"proxy.test:{worker.port}",), (worker.port,))
        async with running(chosen, names=NAMES, short_names={"proxy.test": [address]}, rules=rules) as runner:
            assert (await ask(runner.port, get("http://shop.test/"))).egress == "proxy_unavailable"
            assert [change.reason for change in runner.changes] == ["private_address"]
        assert worker.connections == 0


async def test_a_private_proxy_works_once_the_dialers_rules_name_it(certificates: Certificates) -> None:
    async with net(certificates, "http") as parts:
        (proxy,) = parts.proxies
        none = parse_rules((80,), (), ())
        async with running(policy(proxy), names=NAMES, rules=none) as runner:
            assert (await ask(runner.port, get("http://shop.test/"))).egress == "proxy_unavailable"
            assert proxy.connections == 0
            none.replace_with(parse_rules((80,), (proxy.endpoint,), ()))
            await until(lambda: [change.up for change in runner.changes] == [False, True])
            assert (await ask(runner.port, get("http://shop.test/"))).body == b"ok"


async def test_a_proxy_name_without_addresses_is_a_fault_of_its_own() -> None:
    chosen = EgressPolicy(hosts=ALL, upstreams=(Upstream(url=f"http://nowhere.test:{free_port()}"),))
    async with running(chosen, names=NAMES) as runner:
        assert (await ask(runner.port, get("http://shop.test/"))).egress == "proxy_unavailable"
        assert [change.reason for change in runner.changes] == ["name_not_resolved"]
