"""Proxy policies through a whole worker: three real proxies with a login, one dies while jobs run and comes back.

`PW_PROXY_JOBS=500` makes it long.
"""

import asyncio
import json
import os
import ssl
from collections import defaultdict
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest
from pw_daemon import HEADLESS_SHELL, DaemonFolder, DaemonProcess, Producer, place, write_module
from pw_queue import plain_client
from pw_servers.certificates import Certificates
from pw_servers.forward_proxy import ForwardProxy, Kind, Way, forward_proxy
from pw_servers.waiting import until

from pageworker_sandbox.egress.messages import Upstream
from pageworker_sandbox.egress.upstream_order import preferred
from pageworker_supervisor.central.document import texts_of_values
from pageworker_supervisor.queue import QueueClient
from pageworker_supervisor.redis_client import Router

pytestmark = [pytest.mark.browser, pytest.mark.sandbox, pytest.mark.redis, pytest.mark.timeout(1500)]

JOBS = int(os.environ.get("PW_PROXY_JOBS", "48"))
USER, PASSWORD = "ada", "correct-horse-battery"
BASE64 = "YWRhOmNvcnJlY3QtaG9yc2UtYmF0dGVyeQ"
PROFILES = ("p1", "p2", None)
KINDS: dict[str, Kind] = {"plain": "http", "tls": "https", "socks": "socks5"}
VISIT = """
response = await page.goto(payload["url"])
for url in payload.get("then", ()):
    response = await page.goto(url)
return {"status": response.status}
"""


class ProxiedSite:
    """One site, plain and with TLS, at ports of its own for each way to it. `seen` has the ways of each job.

    `/held` is answered once `released` is set.
    """

    def __init__(self, certificates: Certificates) -> None:
        self.held, self.released = asyncio.Event(), asyncio.Event()
        self.seen: dict[str, list[str]] = defaultdict(list)
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(certificates.certificate, certificates.key)

    async def by(self, stack: AsyncExitStack, name: str) -> dict[int, int]:
        """Open another way. Returns the port to use for each port of the site."""
        ports: dict[int, int] = {}

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            try:
                while head := await reader.readuntil(b"\r\n\r\n"):
                    path = head.split(b" ", 2)[1].decode()
                    if path == "/held":
                        self.held.set()
                        await self.released.wait()
                    if path.startswith("/job/"):
                        self.seen[path.removeprefix("/job/")].append(name)
                    # The proxies carry one plain request per connection.
                    last = b"\r\nconnection: close" in head.lower()
                    writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 4\r\n")
                    writer.write(b"Connection: close\r\n\r\nshop" if last else b"\r\nshop")
                    await writer.drain()
                    if last:
                        writer.close()
                        await writer.wait_closed()
            except (OSError, EOFError):
                pass
            finally:
                # To close TLS politely may take longer than the loop lives.
                writer.transport.abort()

        for port, context in ((80, None), (443, self._context)):
            server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
            stack.callback(server.close)
            ports[port] = server.sockets[0].getsockname()[1]
        return ports


def to_site(ports: Mapping[int, int]) -> Way:
    """Where a proxy finds the site, whatever it is called."""
    return lambda _, port: ("127.0.0.1", ports[port])


def settings(proxies: Mapping[str, Any], secrets: Path, ports: list[int]) -> dict[str, Any]:
    return {
        "pool": {"runners": 3, "pages": 4, "idle_seconds": 60},
        "browser": HEADLESS_SHELL,
        "egress": {"proxy_ports": ports, "connect_seconds": 6.0},
        "jobs": {"retry_base_seconds": 0.1, "max_retries": 3},
        "proxies": proxies,
        "secrets": {"backend": "files", "files": {"folder": str(secrets)}},
        "tenants": {"acme": {"proxy": "de"}},
    }


def login(folder: Path, text: str = f"{USER}:{PASSWORD}") -> Path:
    """A folder of secrets with the login of the proxies."""
    (folder / "_fleet").mkdir(parents=True, exist_ok=True)
    file = folder / "_fleet" / "proxy_login"
    file.touch(0o600)
    file.write_text(text)
    return folder


@asynccontextmanager
async def home(tmp_path: Path) -> AsyncIterator[DaemonFolder]:
    hosts = ["shop.test", "*.shop.test"]
    module = write_module(tmp_path / "modules", "test.visit", VISIT, hosts, {"ignore_https_errors": True})
    async with place(module) as here:
        yield here


def job(producer: Producer, job_id: str, number: int, host: str = "shop.test", **fields: Any) -> str:
    scheme = ("http", "https")[number % 2]
    profile = PROFILES[number % len(PROFILES)]
    more = {"profile_id": profile} if profile else {}
    return producer.job(job_id, "test.visit", {"url": f"{scheme}://{host}/job/{job_id}"}, **more, **fields)


def by_context(results: Mapping[str, dict[str, Any]], phase: str) -> dict[str | None, set[str]]:
    """The upstreams of all attempts of a phase, by profile."""
    found: dict[str | None, set[str]] = defaultdict(set)
    for job_id, result in results.items():
        if job_id.startswith(phase):
            found[result["profile_id"]] |= {attempt["proxy"] for attempt in result["attempts"]}
    return found


def texts_of(daemon: DaemonProcess, results: object) -> dict[str, str]:
    """Everything that leaves the worker, and what its processes show."""
    shown = {"results": json.dumps(results), "log": daemon.log_file.read_text()}
    shown |= {path: daemon.get(path).text for path in ("/metrics", "/status")}
    for process in psutil.Process(daemon.pid).children(recursive=True):
        try:
            for name in ("cmdline", "environ"):
                shown[f"{process.pid} {name}"] = Path(f"/proc/{process.pid}/{name}").read_text(errors="replace")
        except (FileNotFoundError, ProcessLookupError):
            continue
    return shown


async def test_profiles_keep_their_upstream_and_leave_it_only_while_it_is_down(tmp_path: Path) -> None:
    certificates = Certificates.make(tmp_path)
    origin = ProxiedSite(certificates)
    async with AsyncExitStack() as stack:
        proxies: dict[str, ForwardProxy] = {}
        for name, kind in KINDS.items():
            ports = await origin.by(stack, name)
            proxy = forward_proxy(kind, to_site(ports), login=(USER, PASSWORD), certificates=certificates)
            proxies[name] = await stack.enter_async_context(proxy)
        names = {f"de/{proxy.endpoint}": name for name, proxy in proxies.items()}
        pool = {
            "upstreams": [proxy.url for proxy in proxies.values()],
            "credentials": "proxy_login",
            "resolve": "there",
        }
        given = settings({"de": pool}, login(tmp_path / "secrets"), [proxy.port for proxy in proxies.values()])
        given["egress"]["proxy_ca"] = str(certificates.ca)
        here = await stack.enter_async_context(home(tmp_path))
        producer = await stack.enter_async_context(aclosing(Producer(here.redis.url)))
        daemon = stack.enter_context(here.worker(**given))

        async def run(phase: str, die: ForwardProxy | None = None) -> dict[str | None, set[str]]:
            before, count = len(producer.results), JOBS // 3
            await producer.push(*(job(producer, f"{phase}-{number}", number) for number in range(count)))
            if die is not None:
                await producer.collect(before + 1, 120)
                die.die()
            await producer.collect(before + count, 1000)
            return by_context(producer.results, phase)

        first = await run("first")
        assert all(len(upstreams) == 1 for upstreams in first.values()), first
        victim = proxies[names[next(iter(first["p1"]))]]
        second = await run("second", victim)
        for profile, upstreams in second.items():
            if f"de/{victim.endpoint}" in first[profile]:
                assert len(upstreams - first[profile]) == 1, "all of its jobs went to the next one"
            else:
                assert upstreams == first[profile], "the others stay where they are"
        down = daemon.status().upstreams_down
        assert [(one.policy, one.upstream, one.reason) for one in down] == [("de", victim.endpoint, "refused")]
        await victim.come_back()
        await asyncio.to_thread(until, lambda: not daemon.status().upstreams_down, "it is up again", 120.0, 0.2)
        assert await run("third") == first, "each profile is back where it was"

        outcomes = {job_id: result["error"] for job_id, result in producer.results.items() if result["error"]}
        assert outcomes == {}
        for job_id, result in producer.results.items():
            ways, profile = set(origin.seen[job_id]), result["profile_id"]
            # A browser keeps a tunnel that it has. So from the second phase on, a request may have gone by the proxy
            # that the profile had before, and not by the one that its runner used last.
            known = first[profile] if job_id.startswith("first") else first[profile] | second[profile]
            assert ways, (job_id, result)
            assert ways <= {names[upstream] for upstream in known}, (job_id, ways, result["attempts"])
        for where, text in texts_of(daemon, producer.results).items():
            assert PASSWORD not in text, where
            assert BASE64 not in text, where
        failures = [line for line in daemon.get("/metrics").text.splitlines() if "upstream_failures_total{" in line]
        assert any(f'policy="de",reason="refused",upstream="{victim.endpoint}"' in line for line in failures), failures


async def test_what_may_not_go_out_is_rejected_or_fails_by_name(tmp_path: Path) -> None:
    """And goes out once a proxy with the right login is there, without a restart."""
    origin = ProxiedSite(Certificates.make(tmp_path))
    async with AsyncExitStack() as stack:
        ports = await origin.by(stack, "one")
        proxy = await stack.enter_async_context(forward_proxy("http", to_site(ports), login=(USER, PASSWORD)))
        usual = {"credentials": "proxy_login", "resolve": "there"}
        policies = {
            "de": {"upstreams": [proxy.url], **usual},
            "down": {"upstreams": ["http://127.0.0.1:9", "socks5://127.0.0.1:9"], **usual},
            "own": {"upstreams": [proxy.url], **usual, "tenants": ["other"]},
        }
        secrets = login(tmp_path / "secrets", f"{USER}:wrong-horse-battery")
        here = await stack.enter_async_context(home(tmp_path))
        producer = await stack.enter_async_context(aclosing(Producer(here.redis.url)))
        daemon = stack.enter_context(here.worker(**settings(policies, secrets, [proxy.port, 9])))
        await producer.push(
            job(producer, "unknown", 1, proxy="gone"),
            job(producer, "foreign", 1, proxy="own"),
            job(producer, "down", 0, proxy="down", max_retries=1),
            job(producer, "down-tls", 1, proxy="down", max_retries=1),
            job(producer, "wrong-login", 0, max_retries=0),
        )
        await producer.collect(5, 200)
        found = {
            job_id: (
                result["status"],
                result["error"]["type"],
                [one["proxy"].partition("/")[0] for one in result["attempts"]],
            )
            for job_id, result in producer.results.items()
        }
        assert found == {
            "unknown": ("rejected", "proxy_unknown", []),
            "foreign": ("rejected", "proxy_unknown", []),
            "down": ("failed", "proxy_unavailable", ["down", "down"]),
            "down-tls": ("failed", "proxy_unavailable", ["down", "down"]),
            "wrong-login": ("failed", "proxy_unavailable", ["de"]),
        }
        assert producer.results["down"]["error"]["retryable"]
        assert origin.seen == {}, "nothing went out by another way"
        assert {(one.policy, one.reason) for one in daemon.status().upstreams_down} >= {
            ("de", "credentials"),
            ("down", "refused"),
        }
        login(tmp_path / "secrets")
        await asyncio.to_thread(until, lambda: "new value" in daemon.log_file.read_text(), "a new login", 60.0, 0.2)
        await producer.push(job(producer, "right-login", 0, max_retries=5))
        await producer.collect(6, 200)
        result = producer.results["right-login"]
        assert (result["status"], result["attempts"][-1]["proxy"]) == ("succeeded", f"de/{proxy.endpoint}")
        assert origin.seen == {"right-login": ["one"]}
        for where, text in texts_of(daemon, producer.results).items():
            assert PASSWORD not in text, where
            assert "wrong-horse" not in text, where


async def test_a_host_keeps_its_upstream_and_goes_the_direct_way_only_if_that_is_permitted(
    tmp_path: Path,
) -> None:
    certificates = Certificates.make(tmp_path)
    origin = ProxiedSite(certificates)
    async with AsyncExitStack() as stack:
        proxies: dict[str, ForwardProxy] = {}
        for name, kind in KINDS.items():
            way = to_site(await origin.by(stack, name))
            proxies[name] = await stack.enter_async_context(forward_proxy(kind, way, certificates=certificates))
        pool = {"upstreams": [proxy.url for proxy in proxies.values()], "rotation": "domain", "resolve": "there"}
        policies = {"de": {**pool, "fallback": "direct"}, "strict": pool}
        given = settings(policies, tmp_path, [proxy.port for proxy in proxies.values()])
        given["egress"]["proxy_ca"] = str(certificates.ca)
        here = await stack.enter_async_context(home(tmp_path))
        producer = await stack.enter_async_context(aclosing(Producer(here.redis.url)))
        stack.enter_context(here.worker(**given))

        hosts = [f"h{number}.shop.test" for number in range(8)]
        jobs = {f"h{number}-{profile}": (number, profile) for number in range(8) for profile in range(2)}
        await producer.push(
            *(job(producer, job_id, profile, hosts[number]) for job_id, (number, profile) in jobs.items())
        )
        await producer.collect(len(jobs), 200)
        upstreams = [Upstream(url=proxy.url) for proxy in proxies.values()]
        first = [preferred(upstreams, "acme", host)[0].url for host in hosts]
        expected = {job_id: {first[number]} for job_id, (number, _) in jobs.items()}
        urls = {name: proxy.url for name, proxy in proxies.items()}
        assert {job_id: {urls[name] for name in origin.seen[job_id]} for job_id in jobs} == expected
        assert {result["status"] for result in producer.results.values()} == {"succeeded"}

        for proxy in proxies.values():
            proxy.die()
        for job_id, policy in (("direct", "de"), ("refused", "strict")):
            await producer.push(job(producer, job_id, 0, "new.shop.test", proxy=policy, max_retries=0))
        await producer.collect(len(jobs) + 2, 100)
    direct, refused = (producer.results[job_id]["error"] for job_id in ("direct", "refused"))
    # No name of .test resolves, so that the direct way is seen by its failure.
    assert (direct["type"], direct["detail"].get("code")) == ("navigation_error", "ERR_NAME_NOT_RESOLVED")
    assert refused["type"] == "proxy_unavailable"


async def change(queue: QueueClient, daemon: DaemonProcess, values: Mapping[str, Any]) -> None:
    """Make these the central values, and wait until the worker runs them."""
    async with asyncio.timeout(30):
        while not (await queue.config.state()).workers:  # noqa: ASYNC110 - Redis sends no notice of a new worker
            await asyncio.sleep(0.05)
    base = (await queue.config.state()).version
    assert await queue.config.propose(f"change-{base}", base, texts_of_values(values), "test", "to see it") == "open"
    await queue.config.wait_outcome(f"change-{base}", 8)
    await asyncio.to_thread(until, lambda: daemon.status().config.version == base + 1, "it runs them", 30.0, 0.1)


async def test_a_running_job_keeps_its_way_out_when_its_policy_is_removed(tmp_path: Path) -> None:
    origin = ProxiedSite(Certificates.make(tmp_path))
    async with AsyncExitStack() as stack:
        way = to_site(await origin.by(stack, "one"))
        proxy = await stack.enter_async_context(forward_proxy("http", way))
        here = await stack.enter_async_context(home(tmp_path))
        producer = await stack.enter_async_context(aclosing(Producer(here.redis.url)))
        given = settings({}, tmp_path, [proxy.port])
        given["tenants"] = {"acme": {}}
        daemon = stack.enter_context(here.worker(**given))
        client = await stack.enter_async_context(aclosing(plain_client(here.redis.port)))
        queue = QueueClient(Router(client, client))
        await change(queue, daemon, {"proxies.de.upstreams": [proxy.url], "proxies.de.resolve": "there"})

        then = ["http://shop.test/held", "http://other.shop.test/job/running"]
        payload = {"url": "http://shop.test/job/running", "then": then}
        await producer.push(producer.job("running", "test.visit", payload, proxy="de", max_retries=0))
        async with asyncio.timeout(60):
            await origin.held.wait()
        await change(queue, daemon, {})
        await producer.push(job(producer, "late", 0, proxy="de"))
        await producer.collect(1, 30)
        origin.released.set()
        await producer.collect(2, 60)
    found = {job_id: (result["status"], result["error"]) for job_id, result in producer.results.items()}
    assert found["running"] == ("succeeded", None)
    assert producer.results["late"]["error"]["type"] == "proxy_unknown"
    assert origin.seen == {"running": ["one", "one"]}
