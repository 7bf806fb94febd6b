"""`/healthz /readyz /metrics /status`, for probes, scrapers and people. Read only."""

import msgspec
from prometheus_client import CONTENT_TYPE_LATEST
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from pageworker_supervisor.http.report import Worker
from pageworker_supervisor.telemetry.metrics import Metrics

JSON = "application/json"


def operator_app(worker: Worker, metrics: Metrics) -> Starlette:
    """The application of `http.bind`."""

    async def healthz(_: Request) -> Response:
        # That this runs says it: the event loop turns.
        return json_response({"status": "alive"})

    async def readyz(_: Request) -> Response:
        await worker.look()
        ready, reason = worker.ready()
        metrics.ready.set(ready)
        body = {"ready": ready, "state": worker.status().state, "reason": reason}
        return json_response(body, 200 if ready else 503)

    async def scrape(_: Request) -> Response:
        metrics.ready.set(worker.ready()[0])
        return Response(metrics.expose(), media_type=CONTENT_TYPE_LATEST)

    async def status(_: Request) -> Response:
        return json_response(worker.status())

    return Starlette(
        routes=[
            Route("/healthz", healthz, methods=["GET"]),
            Route("/readyz", readyz, methods=["GET"]),
            Route("/metrics", scrape, methods=["GET"]),
            Route("/status", status, methods=["GET"]),
        ]
    )


def json_response(value: object, status_code: int = 200) -> Response:
    """Any Struct or plain data as JSON, never to be cached."""
    return Response(msgspec.json.encode(value) + b"\n", status_code, {"Cache-Control": "no-store"}, media_type=JSON)
