"""The suite's own servers, in the suite's own interpreter: `python -m playwright_suite.plain.origin CHECKOUT`.

Tests give their server Python functions, and those run in a sandbox. So each request waits here until the job has said
what its server does with this path. Two paths of a third server, the control server, are the job's way here:
`/poll` answers with what has happened, `/calls` takes what the job decides. stdout gets one line with the ports.
"""

import base64
import importlib
import io
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from playwright_suite.sandboxed import moved_parts

Message = dict[str, Any]


class JobLink:
    """What waits for the job, and what it has decided. Everything runs in the reactor's thread."""

    def __init__(self, process: Callable[[Any], None], golden: Path) -> None:
        """`process`: how the suite's server answers a request."""
        self._process = process
        self._golden = golden
        self._objects: dict[int, Any] = {}
        self._next = 0
        self._events: list[Message] = []
        # Any: twisted has no types.
        self._poll: Any = None

    def on_request(self, request: Any) -> None:
        """A request of the job's page has arrived."""
        body = request.content.read() if request.content else None
        if request.content:
            request.content.seek(0, 0)
        headers = [[_plain(name), _plain(values)] for name, values in request.requestHeaders.getAllRawHeaders()]
        self._tell(
            {
                "event": "request",
                "id": self._keep(request),
                "protocol": request.channel.factory.server_instance.protocol,
                "method": _plain(request.method),
                "uri": _plain(request.uri),
                "headers": headers,
                "args": [[_plain(name), _plain(values)] for name, values in (request.args or {}).items()],
                "body": _plain(body),
            }
        )

    def poll(self, request: Any) -> None:
        """The job asks what has happened."""
        request.notifyFinish().addErrback(lambda _: self._forget(request))
        self._poll = request
        self._flush()

    def calls(self, request: Any) -> None:
        """The job has decided something."""
        for call in json.loads(request.post_body):
            try:
                getattr(self, f"_on_{call['call']}")(call)
            except Exception as error:  # noqa: BLE001 - as in the suite, a server's error is not its test's
                print(f"{call['call']}: {error!r}", file=sys.stderr, flush=True)
        _answer(request, {})

    def _on_begin(self, call: Message) -> None:
        for each in self._objects.values():
            if getattr(each, "channel", None) is not None:
                each.transport.abortConnection()
        self._objects.clear()
        self._events.clear()

    def _on_end(self, call: Message) -> None:
        self._tell({"event": "end"})

    def _on_decide(self, call: Message) -> None:
        request = self._objects[call["id"]]
        if request.channel is None:
            # The browser has given the request up meanwhile.
            return
        server = request.channel.factory.server_instance
        path = call["path"]
        server.auth = {path: tuple(call["auth"])} if call["auth"] else {}
        server.csp = {path: call["csp"]} if call["csp"] else {}
        server.gzip_routes = {path} if call["gzip"] else set()
        server.routes = {path: lambda request: None} if call["routed"] else {}
        server._ws_handlers = [self._on_web_socket]
        self._process(request)

    def _on_web_socket(self, socket: Any) -> None:
        number = self._keep(socket)
        self._tell({"event": "socket", "id": number, "protocol": socket.factory.server_instance.protocol})
        socket.events.on(
            "message",
            lambda data, binary: self._tell({"event": "message", "id": number, "data": _plain(data), "binary": binary}),
        )
        socket.events.on(
            "close", lambda code, reason: self._tell({"event": "close", "id": number, "code": code, "reason": reason})
        )

    def _on_method(self, call: Message) -> None:
        target = self._objects[call["id"]]
        *owners, name = call["name"].split(".")
        for owner in owners:
            target = getattr(target, owner)
        getattr(target, name)(*(_value(each) for each in call["given"]))

    def _on_golden(self, call: Message) -> None:
        self._tell({"event": "golden", "error": _difference(_value(call["image"]), self._golden / call["name"])})

    def _keep(self, owner: Any) -> int:
        self._next += 1
        self._objects[self._next] = owner
        return self._next

    def _tell(self, event: Message) -> None:
        self._events.append(event)
        self._flush()

    def _flush(self) -> None:
        if self._poll is not None and self._events:
            poll, self._poll = self._poll, None
            events, self._events = self._events, []
            _answer(poll, events)

    def _forget(self, poll: Any) -> None:
        if self._poll is poll:
            self._poll = None


def main() -> None:
    """Serve until the process is ended."""
    checkout = Path(sys.argv[1])
    sys.path.insert(0, str(checkout))
    suite = importlib.import_module("tests.server")
    kind = suite.TestServerRequest
    process = kind.process
    link = JobLink(process, checkout / "tests/golden-chromium")
    servers = [suite.HTTPServer(), suite.HTTPSServer()]
    control = suite.HTTPServer()

    def instead(request: Any) -> None:
        if request.channel.factory.server_instance is control:
            process(request)
        else:
            link.on_request(request)

    kind.process = instead
    for server in (*servers, control):
        server.start()
    control.set_route("/poll", link.poll)
    control.set_route("/calls", link.calls)
    print(json.dumps([server.PORT for server in (*servers, control)]), flush=True)
    suite.reactor.run()


def _difference(image: bytes, golden: Path) -> str:
    """Why it does not look like the picture in the file. Empty: it does."""
    pictures = importlib.import_module("PIL.Image")
    compare = importlib.import_module("pixelmatch.contrib.PIL").pixelmatch
    seen, wanted = pictures.open(io.BytesIO(image)), pictures.open(golden)
    if seen.size != wanted.size:
        return f"{golden.name}: {seen.size} instead of {wanted.size} pixels"
    wrong = compare(seen.convert("RGBA"), wanted.convert("RGBA"), threshold=0.2)
    return f"{golden.name}: {wrong} pixels differ" if wrong else ""


def _answer(request: Any, value: Any) -> None:
    request.setHeader("Content-Type", "application/json")
    request.write(json.dumps(value).encode())
    request.finish()


def _plain(value: Any) -> Any:
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    return {"bytes": base64.b64encode(value).decode()} if isinstance(value, bytes) else value


def _value(plain: Any) -> Any:
    if isinstance(plain, list):
        return [_value(each) for each in plain]
    return base64.b64decode(plain["bytes"]) if isinstance(plain, dict) else plain


if __name__ == "__main__":
    moved_parts.install()
    main()
