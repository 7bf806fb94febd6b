"""In place of the suite's servers, which run outside."""

from typing import NoReturn

from ..suite_job.requests import HttpRequest as TestServerRequest
from ..suite_job.server import Server
from ..suite_job.sockets import WebSocketProtocol

__all__ = ["HTTPServer", "Server", "TestServerRequest", "WebSocketProtocol", "find_free_port"]


def HTTPServer() -> NoReturn:
    """A test starts one more server."""
    raise PermissionError("a job cannot start a server")


def find_free_port() -> NoReturn:
    """A test looks for a port for one more server."""
    raise PermissionError("a job cannot start a server")
