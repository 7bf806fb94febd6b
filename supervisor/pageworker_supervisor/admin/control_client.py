"""The client of the control socket, for `workerctl`."""

import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from pageworker_supervisor.admin.control_socket import control_path
from pageworker_supervisor.admin.errors import ControlError, WorkerRefused, WorkerUnreachable
from pageworker_supervisor.admin.log_stream import LogHead, LogRequest
from pageworker_supervisor.admin.status import Cancelled, CancelRequest, DrainLine, DrainRequest, StatusReport
from pageworker_supervisor.contract.job import JobRef
from pageworker_supervisor.lean_httpx import httpx

TIMEOUT_SECONDS = 10.0
BETWEEN_LINES_SECONDS = 10.0
"""Between two lines of a drain. A worker that lives sends one every 2 s."""

NO_TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
"""It trusts no certificate. httpx would read all certificates of the host for each call, which takes 40 ms."""

T = TypeVar("T")


class WorkerClient:
    """Calls the worker of one data folder. Every call raises WorkerUnreachable, WorkerRefused or ControlError."""

    def __init__(self, data_dir: Path, timeout_seconds: float = TIMEOUT_SECONDS) -> None:
        self._path = control_path(data_dir)
        self._timeout_seconds = timeout_seconds

    def status(self) -> StatusReport:
        """The worker's state, its runners and its running jobs."""
        return self._call("GET", "/status", StatusReport)

    def undrain(self) -> StatusReport:
        """Take jobs again after a drain."""
        return self._call("POST", "/undrain", StatusReport)

    def cancel(self, ref: JobRef) -> Cancelled:
        """Cancel a job in any state, on any worker."""
        return self._call("POST", "/cancel", Cancelled, CancelRequest(ref))

    def drain(self, deadline_seconds: float | None = None, *, cancel: bool = False) -> Iterator[DrainLine]:
        """Drain, and yield its lines until it is done. Waits as long as the drain takes and the worker lives."""
        self.status()  # a worker that does not answer is noticed sooner than by a line that does not come
        with self._client(BETWEEN_LINES_SECONDS) as client:
            body = msgspec.json.encode(DrainRequest(deadline_seconds, cancel))
            with client.stream("POST", "/drain", content=body) as response:
                if response.status_code != 200:
                    response.read()
                _check(response)
                for line in response.iter_lines():
                    if line:
                        yield msgspec.json.decode(line, type=DrainLine)

    def logs(self, request: LogRequest) -> Iterator[LogHead | bytes]:
        """What the worker keeps, then its log lines, each one JSON object. With `follow`, until the worker ends."""
        body = msgspec.json.encode(request)
        with (
            self._client(self._timeout_seconds) as client,
            client.stream("POST", "/logs", content=body) as response,
        ):
            if response.status_code != 200:
                response.read()
            _check(response)
            lines = response.iter_lines()
            yield msgspec.json.decode(next(lines, "{}"), type=LogHead)
            yield from (line.encode() for line in lines if line)

    def _call(self, method: str, path: str, type_: type[T], body: Any = None) -> T:
        with self._client(self._timeout_seconds) as client:
            response = client.request(method, path, content=msgspec.json.encode(body) if body is not None else None)
            _check(response)
            return msgspec.json.decode(response.content, type=type_)

    @contextmanager
    def _client(self, timeout_seconds: float) -> Iterator[httpx.Client]:
        self._check_listening()
        transport = httpx.HTTPTransport(uds=str(self._path), verify=NO_TLS)
        timeout = httpx.Timeout(timeout_seconds, connect=TIMEOUT_SECONDS)
        try:
            with httpx.Client(
                transport=transport, base_url="http://worker", timeout=timeout, trust_env=False
            ) as client:
                yield client
        except httpx.TransportError as error:
            raise WorkerUnreachable(
                f"the worker closed the connection or did not answer: {error or type(error).__name__}"
            ) from error

    def _check_listening(self) -> None:
        """Raises WorkerUnreachable if no process listens. httpx would notice it, too, but leave a socket open."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
            try:
                sock.connect(str(self._path))
            except OSError as error:
                raise WorkerUnreachable(f"no worker answers on {self._path}: {error.strerror or error}") from error


def _check(response: httpx.Response) -> None:
    if response.status_code == 200:
        return
    try:
        reason = msgspec.json.decode(response.content, type=dict[str, str]).get("error", "")
    except msgspec.DecodeError:
        reason = ""
    if response.status_code in (403, 409):
        raise WorkerRefused(reason or "only root and the worker's own user may use the control socket")
    raise ControlError(f"the worker answered {response.status_code}: {reason}")
