"""The limits of a tenant, and what it uses of them."""

import datetime as dt

from starlette.requests import Request
from starlette.responses import Response

from pageworker_supervisor.admin.operator_api import json_response
from pageworker_supervisor.api.answers import BudgetEntry, LimitsAnswer
from pageworker_supervisor.api.endpoint import TENANT, Endpoint
from pageworker_supervisor.api.gate import RequestGate
from pageworker_supervisor.api.grant import READ, ApiGrant, tenant_of
from pageworker_supervisor.api.problem import ApiProblem
from pageworker_supervisor.api.query import check_names
from pageworker_supervisor.api.redis_calls import RedisCalls
from pageworker_supervisor.config.live import Live
from pageworker_supervisor.config.settings import Settings
from pageworker_supervisor.config.tenant_lookup import GlobTable
from pageworker_supervisor.queue.tenants import Tenants


class LimitEndpoint:
    """The handler, over the queue and the settings."""

    def __init__(self, tenants: Tenants, calls: RedisCalls, live: Live[Settings], gate: RequestGate) -> None:
        self._tenants = tenants
        self._calls = calls
        self._live = live
        self._gate = gate

    def table(self) -> tuple[Endpoint, ...]:
        """The operation."""
        summary = "Show the limits of the tenant, and what it uses of them"
        fixed = ("GET", "/v1/limits", self.limits, READ, summary, {200: (LimitsAnswer,)})
        return (Endpoint(*fixed, query=(TENANT,), problems=("not_found",)),)

    async def limits(self, request: Request, grant: ApiGrant) -> Response:
        """`GET /v1/limits`."""
        values = check_names(request.query_params.multi_items(), (TENANT.name,))
        tenant_id = tenant_of(grant, values.get(TENANT.name))
        settings = GlobTable(dict(self._live.value.tenants), None).find(tenant_id)
        if settings is None:
            raise ApiProblem("not_found", "There is no such tenant")
        used = await self._calls.run(self._tenants.show(tenant_id))
        return json_response(
            LimitsAnswer(
                tenant_id=tenant_id,
                weight=settings.weight,
                concurrency=settings.concurrency,
                running=used.running,
                rate_per_second=settings.rate_per_second,
                burst=settings.burst,
                tokens=used.tokens,
                backlog_jobs=settings.backlog_jobs,
                jobs=used.jobs,
                backlog_bytes=settings.backlog_bytes,
                bytes=used.bytes,
                queued=used.queued,
                delayed=used.delayed,
                throttled=used.throttled,
                paused=used.pause is not None,
                paused_until=_utc(used.pause.until_ms) if used.pause and used.pause.until_ms else None,
                budgets=tuple(
                    BudgetEntry(budget=each.budget, limit=each.limit, used=each.used, resets_at=_utc(each.ends_ms))
                    for each in used.budgets
                ),
                requests=self._gate.requests_of(grant),
            )
        )


def _utc(milliseconds: int) -> dt.datetime:
    return dt.datetime.fromtimestamp(milliseconds / 1000, dt.UTC)
