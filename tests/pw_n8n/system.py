"""n8n, Redis and the worker that its flows push to. Each can be restarted."""

import json
import re
import secrets
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Thread
from typing import Any

import httpx
import uvicorn
from pw_daemon.worker import DaemonProcess
from pw_servers import RedisServer
from pw_servers.waiting import until
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from pageworker_demo.loopback_server import SignalFreeServer, loopback_socket
from pageworker_demo.shop import Shop
from pw_n8n.api import ApiProcess
from pw_n8n.client import N8nClient
from pw_n8n.queue_mode import QueueN8n
from pw_n8n.scan_site import ScanSite
from pw_n8n.server import N8n


@contextmanager
def served_in_thread(app: ASGIApp) -> Iterator[int]:
    """Serve an application while the test waits in this thread. Yields the port."""
    sock = loopback_socket()
    server = SignalFreeServer(uvicorn.Config(app, log_config=None, lifespan="off", timeout_graceful_shutdown=1))
    thread = Thread(target=server.run, kwargs={"sockets": [sock]})
    thread.start()
    try:
        yield sock.getsockname()[1]
    finally:
        server.should_exit = True
        thread.join()


SHOP_URL = "http://shop.example"
CALL, CALLER, MANY, NIGHT = "pageworkerCall01", "pageworkerCaller", "pageworkerMany01", "pageworkerNight1"
EVERY, ERRORS = "pageworkerRes001", "pageworkerErr001"
"""Ids of shipped flows."""
TOKEN = secrets.token_hex(16)
"""What the credentials of n8n for headers hold."""
ALERTS = "pageworkerAlert1"
LISTENING = 3
"""Redis Triggers of the shipped flows: every result, dead letters, blockers."""


@dataclass
class System:
    """All of it, on loopback."""

    n8n: N8n
    client: N8nClient
    redis: RedisServer
    worker: DaemonProcess
    shop: "RepairableShop"
    customer: "Customer"
    api: ApiProcess | None
    """None: this version has no HTTP API, or the node was not built."""
    customer_url: str
    scans: ScanSite
    scans_url: str
    queue_n8n: QueueN8n | None = None
    """Not started."""

    def job(self, module: str, payload: dict[str, Any], **fields: Any) -> dict[str, Any]:
        """A job without id and callback: flows add them."""
        return {"tenant_id": "acme", "endpoint_module": module, "payload": payload, **fields}

    def post(self, path: str, body: Any, timeout: float = 300.0) -> httpx.Response:
        """POST to a webhook of n8n."""
        return httpx.post(f"{self.n8n.url}/webhook/{path}", json=body, timeout=timeout)

    def trouble(self, mode: str, **fields: Any) -> dict[str, Any]:
        """A job of the example that runs into trouble: `captcha` or `failing`. Any other mode is rejected."""
        return self.job("shop.trouble", {"url": SHOP_URL, "mode": mode}, **fields)

    def nap(self, seconds: float, **fields: Any) -> dict[str, Any]:
        """A job whose handler takes `seconds`."""
        return self.job("test.nap", {"seconds": seconds}, **fields)

    def naps(self) -> int:
        """How many of them run now."""
        return sum(job.module == "test.nap" for job in self.worker.status().jobs)

    def push(self, job: dict[str, Any]) -> None:
        """What another producer does."""
        self.redis.command("RPUSH", "pw:inbox", json.dumps(job))

    def results(self) -> list[dict[str, Any]]:
        """Every result so far."""
        entries = self.redis.command("XRANGE", "pw:{0}:results", "-", "+")
        return [json.loads(fields[b"result"]) for _, fields in entries]

    def results_per_job(self) -> Counter[str]:
        """How many results each job has."""
        return Counter(result["job_id"] for result in self.results())

    def told(self) -> list[dict[str, Any]]:
        """What the flow of errors and dead letters told the operators, in executions that have ended."""
        ended = [each for each, status in self.client.statuses(ERRORS).items() if status == "success"]
        executions = [self.client.execution(each) for each in ended]
        return [item for execution in executions for item in execution.items("Tell the operators")]

    def heard(self, prefix: str) -> dict[str, dict[str, Any]]:
        """Push four jobs as another producer does, and wait for what the listening flows make of their results.

        By the last part of the id: `good`, `failed`, `rejected` and `blocked` are what *Every result* had, with
        `letter-failed` and `letter-rejected` for the operators and `notification` for the client.
        """
        jobs = {
            f"{prefix}-good": self.job("demo.echo", {"n": 1}),
            f"{prefix}-failed": self.trouble("failing"),
            f"{prefix}-rejected": self.trouble("no such mode"),
            f"{prefix}-blocked": self.trouble("captcha"),
        }
        for job_id, job in jobs.items():
            self.push({**job, "job_id": job_id})
        found: dict[str, dict[str, Any]] = {}

        def all_there() -> bool:
            for execution_id in list(self.client.statuses(EVERY))[:20]:
                execution = self.client.execution(execution_id)
                for item in execution.items("Use the data") + execution.items("Look into it"):
                    if item["job_id"] in jobs:
                        found[item["job_id"].removeprefix(f"{prefix}-")] = item
            for letter in self.told():
                if letter["what"].startswith(f"acme/{prefix}-"):
                    found[letter["what"].replace(f"acme/{prefix}-", "letter-")] = letter
            for notification in self.customer.heard:
                if notification["job_id"] == f"{prefix}-blocked":
                    found["notification"] = notification
            return len(found) == 7

        until(all_there, "the listening flows heard everything", 90.0, 0.5)
        return found

    def until_listening(self) -> None:
        """n8n activates flows asynchronously, and subscribes again some time after a restart of Redis."""
        until(lambda: self._listeners() >= LISTENING, "n8n listens", 120.0, 0.2)

    def _listeners(self) -> int:
        # PUBSUB NUMPAT would count equal patterns once.
        return len(re.findall(rb" psub=[1-9]", self.redis.command("CLIENT", "LIST")))


@dataclass
class RepairableShop:
    """The shop of the demo. `/broken` works once `repaired` is set. `slow` counts the requests for `/slow`."""

    repaired: bool = False
    slow: int = 0
    shop: Shop = field(default_factory=Shop)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"] == "/slow":
            self.slow += 1
        if self.repaired and scope["type"] == "http" and scope["path"] == "/broken":
            scope = {**scope, "path": "/", "raw_path": b"/"}
        await self.shop.app(scope, receive, send)


class Customer:
    """Who wants to hear about blockers. `heard` holds the notifications."""

    def __init__(self) -> None:
        self.heard: list[dict[str, Any]] = []
        self.app = Starlette(routes=[Route("/notify", self._notify, methods=["POST"])])

    async def _notify(self, request: Request) -> Response:
        self.heard.append(await request.json())
        return PlainTextResponse("thanks")
