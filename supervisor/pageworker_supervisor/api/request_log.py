"""What is kept of each request: a log line and its numbers. Never the token, the query or the body."""

from starlette.requests import Request
from starlette.responses import Response

from pageworker_supervisor.api.grant import ApiGrant
from pageworker_supervisor.api.problem import PROBLEMS, ApiProblem
from pageworker_supervisor.telemetry import log
from pageworker_supervisor.telemetry.api_metrics import OTHER, ApiMetrics

GRANT = "pageworker_grant"
"""In the state of a request: what its token permits, once it is known."""
JOB_INVALID = "job_invalid"


class RequestLog:
    """Of one process."""

    def __init__(self, metrics: ApiMetrics, *, lines: bool) -> None:
        """`lines`: whether each request has a line in the log."""
        self._metrics = metrics
        self._lines = lines

    def answered(
        self, request: Request, route: str | None, response: Response, problem: ApiProblem | None, seconds: float
    ) -> None:
        """The answer begins now. `route`: path of the operation; None: the path is none of the API's."""
        self._metrics.answered(route or OTHER, response.status_code, seconds)
        code = problem.document.code if problem is not None else ""
        if code:
            self._metrics.refused.labels(code if code in PROBLEMS else JOB_INVALID).inc()
        if not self._lines:
            return
        grant: ApiGrant | None = getattr(request.state, GRANT, None)
        about = {
            "token_id": grant.token_id if grant else None,
            "tenant_id": grant.tenant_id if grant else None,
            "job_id": request.path_params.get("job_id") if grant else None,
            "code": code or None,
        }
        log.info(
            "request",
            method=request.method,
            route=route or OTHER,
            status=response.status_code,
            milliseconds=round(seconds * 1000, 1),
            **{name: value for name, value in about.items() if value is not None},
        )
