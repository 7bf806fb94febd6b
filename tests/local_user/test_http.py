"""What an ordinary local user tries on the operator's endpoints. The control is a server without any guard."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from pw_local_user import LocalUserHost, act

pytestmark = [pytest.mark.browser, pytest.mark.sandbox, pytest.mark.redis]

CONTROL_SECONDS = 1.0
"""The server without a guard never closes a connection."""
PATIENT_SECONDS = 12.0
"""More than twice the time that the daemon gives a request."""

# `ask` sends a request and returns all that comes back. `sys.argv[1]` is the port. `sys.argv[2]` is how many seconds to
# wait for an end that may never come.
ASK = """
def ask(method, path, *headers, body=b"", seconds=8):
    lines = [f"{method} {path} HTTP/1.1", *headers, f"Content-Length: {len(body)}", "Connection: close", "", ""]
    with socket.create_connection(("127.0.0.1", int(sys.argv[1])), timeout=seconds) as client:
        client.sendall("\\r\\n".join(lines).encode() + body)
        said = b""
        try:
            while part := client.recv(1 << 16): said += part
        except (TimeoutError, ConnectionResetError): pass
        return said

def good(said, *words):
    if b" 200 " in said.split(b"\\r\\n")[0] and all(word in said for word in words): got(said)
"""
TRIES = {
    "drain it": 'good(ask("POST", "/drain", "Host: localhost", body=b"{}"))',
    "cancel a job": """
good(ask("POST", "/cancel", "Host: localhost", body=b'{"job": {"tenant_id": "acme", "job_id": "private-1"}}'))
""",
    "resume it": 'good(ask("POST", "/resume", "Host: localhost"))',
    "change it by a method in disguise": """
good(ask("GET", "/drain", "Host: localhost", "X-HTTP-Method-Override: POST"))
""",
    "read the status from a page of a foreign site": """
good(ask("GET", "/status", "Host: evil.example:9470"), b"acme")
""",
    "read it under a name that begins like an address": """
good(ask("GET", "/status", "Host: 127.0.0.1.evil.example"), b"acme")
""",
    "read it with a forwarded name": """
good(ask("GET", "/status", "Host: evil.example", "X-Forwarded-Host: localhost"), b"acme")
""",
    "read it with two names": 'good(ask("GET", "/status", "Host: localhost", "Host: evil.example"), b"acme")',
    "read it from a page through CORS": """
said = ask("GET", "/status", "Host: localhost", "Origin: http://evil.example")
if b"access-control-allow-origin" in said.lower(): got(said)
""",
    "read a file beside the endpoints": """
for path in ("/../../../etc/passwd", "//etc/passwd", "/%2e%2e/%2e%2e/etc/passwd", "/status/../../etc/passwd"):
    good(ask("GET", path, "Host: localhost"))
""",
    "use it as a proxy": """
good(ask("GET", "http://169.254.169.254/latest", "Host: localhost"))
good(ask("CONNECT", "127.0.0.1:22", "Host: 127.0.0.1:22"))
""",
    "keep a connection that asks nothing": """
with socket.create_connection(("127.0.0.1", int(sys.argv[1])), timeout=float(sys.argv[2])) as client:
    client.sendall(b"GET /status HTTP/1.1\\r\\nHost: localhost\\r\\n")
    try:
        if client.recv(1) == b"": raise ConnectionResetError
    except TimeoutError: got("still open")
""",
    "send a head without end": """
with socket.create_connection(("127.0.0.1", int(sys.argv[1])), timeout=5) as client:
    client.sendall(b"GET /status HTTP/1.1\\r\\nHost: localhost\\r\\n")
    line, sent = b"X: " + b"y" * 4000 + b"\\r\\n", 0
    while sent < 1 << 19: sent += client.send(line)
    time.sleep(0.5)
    client.sendall(line)
    client.sendall(line)
    got(sent)
""",
    "learn a password": """
for path in ("/status", "/metrics", "/readyz"):
    said = ask("GET", path, "Host: localhost")
    if b"password" in said or b":secret@" in said: got(said)
""",
    "take its port beside it": """
for name in ("127.0.0.1", "0.0.0.0"):
    taken = socket.socket()
    taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    try:
        taken.bind((name, int(sys.argv[1])))
        taken.listen()
    except OSError: continue
    got("clients of the daemon connect here")
""",
}


class UnguardedServer(BaseHTTPRequestHandler):
    """Answers every request."""

    protocol_version = "HTTP/1.0"

    def handle_one_request(self) -> None:
        """Answer once the head is complete, whatever it asks for and however long it is."""
        try:
            while (line := self.rfile.readline()) not in (b"\r\n", b""):
                continue
        except OSError:
            return
        self.close_connection = True
        if not line:
            return
        self.request_version, self.requestline, self.command = "HTTP/1.1", "", ""
        body = b'{"tenant_id": "acme", "url": "redis://pageworker:secret@127.0.0.1", "password": "x"}'
        self.send_response(200)
        self.send_header("Access-Control-Allow-Origin", "*")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *arguments: Any) -> None:
        """Not here."""


@pytest.fixture(scope="module")
def unguarded() -> Iterator[int]:
    """Its port."""
    with ThreadingHTTPServer(("127.0.0.1", 0), UnguardedServer) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server.server_port
        server.shutdown()
        thread.join()


def free_port() -> int:
    with ThreadingHTTPServer(("127.0.0.1", 0), UnguardedServer) as server:
        return server.server_port


@pytest.mark.parametrize("name", TRIES)
def test_an_ordinary_user_gets_nothing_from_the_endpoints(host: LocalUserHost, unguarded: int, name: str) -> None:
    script = ASK + TRIES[name]
    control = act(script, free_port() if name == "take its port beside it" else unguarded, CONTROL_SECONDS)
    assert control.got, f"the try itself does not work:\n{control.said}"
    tried = act(script, host.http.rpartition(":")[2], PATIENT_SECONDS)
    assert not tried.got, tried.said
    assert host.daemon.get("/readyz").status_code == 200
