"""The application of `http.bind`: `/healthz`, `/readyz`, `/metrics` and `/status`. It changes nothing."""

from collections.abc import Sequence

import msgspec
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from pageworker_supervisor.admin.allowed_hosts import HostHeaderCheck
from pageworker_supervisor.admin.status import WorkerControl
from pageworker_supervisor.contract.printable import printable_json
from pageworker_supervisor.telemetry.metrics import Metrics

JSON = "application/json"


def operator_app(worker: WorkerControl, metrics: Metrics, allowed_hosts: Sequence[str] = ()) -> Starlette:
    """The routes of `http.bind`, for requests to an IP address, `localhost` and `allowed_hosts`."""

    async def healthz(_: Request) -> Response:
        # An answer is the proof: the event loop runs.
        return json_response({"status": "alive"})

    async def readyz(_: Request) -> Response:
        await worker.refresh_readiness()
        ready, reason = worker.ready()
        metrics.health.ready.set(ready)
        body = {"ready": ready, "state": worker.status().state, "reason": reason}
        return json_response(body, 200 if ready else 503)

    async def scrape(request: Request) -> Response:
        metrics.health.ready.set(worker.ready()[0])
        body, content_type = metrics.negotiate(request.headers.get("accept", ""))
        return Response(body, media_type=content_type)

    async def status(_: Request) -> Response:
        return json_response(worker.status())

    return Starlette(
        routes=[
            Route("/healthz", healthz, methods=["GET"]),
            Route("/readyz", readyz, methods=["GET"]),
            Route("/metrics", scrape, methods=["GET"]),
            Route("/status", status, methods=["GET"]),
        ],
        middleware=[Middleware(HostHeaderCheck, allowed_hosts)],
    )


def json_response(value: object, status_code: int = 200) -> Response:
    """A Struct or plain data as JSON, safe to print on a terminal, not to be cached."""
    body = printable_json(msgspec.json.encode(value).decode()) + "\n"
    return Response(body, status_code, {"Cache-Control": "no-store"}, media_type=JSON)
