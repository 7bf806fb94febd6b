"""`/metrics` of a process of the HTTP API, on an address of its own: it has no password."""

from collections.abc import Sequence

from prometheus_client import CONTENT_TYPE_LATEST
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from pageworker_supervisor.admin.allowed_hosts import HostHeaderCheck
from pageworker_supervisor.telemetry.api_metrics import ApiMetrics


def metrics_app(metrics: ApiMetrics, allowed_hosts: Sequence[str]) -> Starlette:
    """For requests to an IP address, `localhost` and `allowed_hosts`."""

    async def scrape(_: Request) -> Response:
        return Response(metrics.expose(), media_type=CONTENT_TYPE_LATEST)

    return Starlette(
        routes=[Route("/metrics", scrape, methods=["GET"])],
        middleware=[Middleware(HostHeaderCheck, allowed_hosts)],
    )
