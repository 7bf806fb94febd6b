"""The job's way to the suite's servers outside. Its requests count as the runner's own: no test sees them."""

import asyncio
import json
from collections.abc import Iterable
from types import TracebackType
from typing import Any, Self

from playwright.async_api import Page

from pageworker_runner.task_ownership import own_work

from .requests import HttpRequest, decoded
from .server import Server
from .sockets import WebSocketProtocol

CONTROL = "http://control.test"


class OriginLink:
    """Polls for what happens outside, and sends what the job decides, in order."""

    def __init__(self, page: Page, servers: Iterable[Server]) -> None:
        self._requests = page.context.request
        self._servers = {server.protocol: server for server in servers}
        self._sockets: dict[int, WebSocketProtocol] = {}
        self._calls: asyncio.Queue[dict[str, Any] | None] = asyncio.Queue()
        self._answers: asyncio.Queue[dict[str, Any]] = asyncio.Queue()

    async def __aenter__(self) -> Self:
        await self._post("calls", [{"call": "begin"}])
        self._group = asyncio.TaskGroup()
        await self._group.__aenter__()
        self._tasks = [self._group.create_task(work()) for work in (self._send_all, self._poll_all)]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.call("end")
        self._calls.put_nowait(None)
        await self._group.__aexit__(kind, error, trace)

    def call(self, call: str, **named: Any) -> None:
        """Have the outside do something, after everything that was called before."""
        self._calls.put_nowait({"call": call, **named})

    async def ask(self, call: str, **named: Any) -> dict[str, Any]:
        """The answer to a call that has one."""
        self.call(call, **named)
        return await self._answers.get()

    async def _send_all(self) -> None:
        ended = False
        while not ended:
            calls = [await self._calls.get()]
            while not self._calls.empty():
                calls.append(self._calls.get_nowait())
            ended = None in calls
            if given := [call for call in calls if call is not None]:
                await self._post("calls", given)

    async def _poll_all(self) -> None:
        while True:
            for event in await self._post("poll", []):
                if event["event"] == "end":
                    return
                self._take(event)

    def _take(self, event: dict[str, Any]) -> None:
        number = event.get("id", 0)
        match event["event"]:
            case "request":
                self._servers[event["protocol"]].on_request(HttpRequest(self, event))
            case "socket":
                self._sockets[number] = WebSocketProtocol(self, number)
                self._servers[event["protocol"]].on_web_socket(self._sockets[number])
            case "message":
                self._sockets[number].onMessage(decoded(event["data"]), event["binary"])
            case "close":
                self._sockets[number].events.emit("close", event["code"], event["reason"])
            case "golden":
                self._answers.put_nowait(event)

    async def _post(self, path: str, body: list[dict[str, Any]]) -> Any:
        with own_work():
            response = await self._requests.post(f"{CONTROL}/{path}", data=json.dumps(body), timeout=0)
            answer = await response.json()
            await response.dispose()
        return answer
