"""The application: routes, and what every request has in common."""

import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from importlib.metadata import version

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from pageworker_supervisor.admin.operator_api import JSON, json_response
from pageworker_supervisor.api.artifact_link_endpoint import PATH, ArtifactLinkEndpoint
from pageworker_supervisor.api.endpoint import Endpoint
from pageworker_supervisor.api.gate import LIMIT_HEADERS, RequestGate
from pageworker_supervisor.api.openapi import openapi_document
from pageworker_supervisor.api.problem import ApiProblem
from pageworker_supervisor.api.request_log import RequestLog
from pageworker_supervisor.telemetry import log

Ready = Callable[[], str]
"""Why the API is not ready; "" while it is."""
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
STARTING_SECONDS = 2.0
COMMON_HEADERS = {"X-Content-Type-Options": "nosniff"}


def api_app(
    table: Sequence[Endpoint],
    gate: RequestGate,
    ready: Ready,
    artifact_links: ArtifactLinkEndpoint,
    pages: Sequence[Route] = (),
    request_log: RequestLog | None = None,
) -> Starlette:
    """The routes of these operations, and those that need no token: two for probes, the OpenAPI document, and signed
    links.

    `pages`: those of the status page.
    """
    paths = dict.fromkeys(endpoint.path for endpoint in table)
    routes = [_route(path, [each for each in table if each.path == path], gate) for path in paths]
    document = openapi_document(table, version("pageworker"))

    async def linked(request: Request) -> Response:
        return await answered(request, lambda: artifact_links.artifact(request))

    async def openapi(_: Request) -> Response:
        return Response(document, headers=COMMON_HEADERS, media_type=JSON)

    routes += [Route(PATH, linked, methods=["GET"]), Route("/v1/openapi.json", openapi, methods=["GET"])]
    app = _app([*routes, *pages], ready)
    app.state.request_log = request_log
    return app


def starting_app(trouble: Ready, pages: Sequence[Route] = ()) -> Starlette:
    """What is answered before the API knows the settings of the fleet."""

    async def refuse(_: Request) -> Response:
        return ApiProblem("redis_unavailable", "The API is starting", retry_after=STARTING_SECONDS).response()

    return _app([*pages, Route("/{path:path}", refuse, methods=METHODS)], lambda: trouble() or "starting")


def _app(routes: Iterable[Route], ready: Ready) -> Starlette:

    async def healthz(_: Request) -> Response:
        return json_response({"status": "alive"})

    async def readyz(_: Request) -> Response:
        reason = ready()
        return json_response({"ready": not reason, "reason": reason}, 503 if reason else 200)

    probes = (Route("/healthz", healthz, methods=["GET"]), Route("/readyz", readyz, methods=["GET"]))
    app = Starlette(
        routes=[*probes, *routes],
        exception_handlers={HTTPException: _routing_problem},
    )
    # A redirect of Starlette's is no problem document.
    app.router.redirect_slashes = False
    return app


def _route(path: str, endpoints: Sequence[Endpoint], gate: RequestGate) -> Route:
    by_method = {endpoint.method: endpoint for endpoint in endpoints}

    async def handle(request: Request) -> Response:
        endpoint = by_method["GET" if request.method == "HEAD" else request.method]
        return await answered(request, lambda: _admitted(request, endpoint, gate), path)

    return Route(path, handle, methods=list(by_method))


async def _admitted(request: Request, endpoint: Endpoint, gate: RequestGate) -> Response:
    grant = await gate.admit(request, endpoint.scopes)
    return await endpoint.handler(request, grant)


async def answered(request: Request, handler: Callable[[], Awaitable[Response]], route: str | None = None) -> Response:
    """The answer of a handler, or the problem document in its place, with the headers that all answers have."""
    began, problem = time.monotonic(), None
    try:
        response = await handler()
    except ApiProblem as refused:
        problem = refused
    except Exception as error:  # noqa: BLE001 - the caller gets a problem document for a bug, too
        log.opt(exception=error).error("a request failed", path=request.url.path)
        problem = ApiProblem("internal_error", "The log of pageworker-api has the reason")
    if problem is not None:
        response = problem.response()
    _note(request, route, response, problem, time.monotonic() - began)
    response.headers.update(getattr(request.state, LIMIT_HEADERS, {}))
    response.headers.update(COMMON_HEADERS)
    return response


def _note(request: Request, route: str | None, response: Response, problem: ApiProblem | None, seconds: float) -> None:
    request_log: RequestLog | None = getattr(request.app.state, "request_log", None)
    if request_log is not None:
        request_log.answered(request, route, response, problem, seconds)


async def _routing_problem(request: Request, error: Exception) -> Response:
    """Starlette found no route."""
    problem = _no_route(error)
    response = problem.response()
    _note(request, None, response, problem, 0.0)
    return response


def _no_route(error: Exception) -> ApiProblem:
    status = error.status_code if isinstance(error, HTTPException) else 500
    headers = dict(error.headers or {}) if isinstance(error, HTTPException) else {}
    if status == 405:
        detail = f"This path has the methods {headers.get('Allow', '')}"
        return ApiProblem("method_not_allowed", detail, headers=headers)
    return ApiProblem("not_found", "There is no such path")
