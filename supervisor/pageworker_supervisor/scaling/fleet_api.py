"""The endpoints of the fleet process: `/wanted`, `/metrics`, `/healthz` and `/readyz`. They change nothing."""

from collections.abc import Sequence

from msgspec import Struct
from prometheus_client import CONTENT_TYPE_LATEST
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from pageworker_supervisor.admin.allowed_hosts import HostHeaderCheck
from pageworker_supervisor.admin.operator_api import json_response
from pageworker_supervisor.scaling.fleet_watch import FleetLook, FleetUnreadable, FleetWatch
from pageworker_supervisor.telemetry.fleet_metrics import expose_fleet


class WantedWorkers(Struct, frozen=True, kw_only=True):
    """What `/wanted` answers, and `workerctl scale --json` prints. Autoscalers read `wanted_workers`."""

    wanted_workers: int
    needed_workers: int
    """Without the wait before the fleet shrinks."""
    why: str
    at: float
    """Unix seconds on Redis' clock."""
    waiting: int
    """Jobs that a further worker could start."""
    running: int
    load_pages: float
    backlog_pages: float
    service_seconds: float
    service_measured: bool
    pages_per_worker: float
    workers: dict[str, int]
    jobs: dict[str, int]
    oldest_seconds: dict[str, float]
    throttled_tenants: dict[str, int]
    paused: dict[str, int]
    backlogs_looked_at: float
    """Part of the backlogs that is known. Below 1, numbers of waiting jobs are estimates."""


def answer_of(look: FleetLook) -> WantedWorkers:
    """The answer for one reading."""
    state, decision = look.state, look.decision
    return WantedWorkers(
        wanted_workers=decision.wanted_workers,
        needed_workers=decision.needed_workers,
        why=decision.why,
        at=state.at,
        waiting=state.load.waiting,
        running=state.load.running,
        load_pages=decision.load_pages,
        backlog_pages=decision.backlog_pages,
        service_seconds=decision.service_seconds,
        service_measured=decision.service_measured,
        pages_per_worker=decision.pages_per_worker,
        workers=state.workers,
        jobs=state.jobs,
        oldest_seconds=state.oldest_seconds,
        throttled_tenants=state.throttled_tenants,
        paused=state.paused,
        backlogs_looked_at=state.backlogs_looked_at,
    )


def fleet_app(watch: FleetWatch, allowed_hosts: Sequence[str] = ()) -> Starlette:
    """The routes, for requests to an IP address, `localhost` and `allowed_hosts`."""

    async def healthz(_: Request) -> Response:
        return json_response({"status": "alive"})

    async def readyz(_: Request) -> Response:
        ready = not watch.trouble
        return json_response({"ready": ready, "reason": watch.trouble}, 200 if ready else 503)

    async def wanted(_: Request) -> Response:
        try:
            return json_response(answer_of(watch.current()))
        except FleetUnreadable as error:
            # An autoscaler that gets no number keeps what it has. An old number would look new.
            return json_response({"error": str(error)}, 503)

    async def scrape(_: Request) -> Response:
        return Response(expose_fleet(watch.numbers()), media_type=CONTENT_TYPE_LATEST)

    return Starlette(
        routes=[
            Route("/healthz", healthz, methods=["GET"]),
            Route("/readyz", readyz, methods=["GET"]),
            Route("/wanted", wanted, methods=["GET"]),
            Route("/metrics", scrape, methods=["GET"]),
        ],
        middleware=[Middleware(HostHeaderCheck, allowed_hosts)],
    )
