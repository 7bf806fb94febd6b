"""What the jobs of a tenant used, hour by hour."""

from starlette.requests import Request
from starlette.responses import Response

from pageworker_supervisor.admin.operator_api import json_response
from pageworker_supervisor.api.answers import UsageAnswer, usage_answer
from pageworker_supervisor.api.endpoint import TENANT, Endpoint, QueryField
from pageworker_supervisor.api.grant import READ, ApiGrant, tenant_of
from pageworker_supervisor.api.query import check_names, choice_of, count_of
from pageworker_supervisor.api.redis_calls import RedisCalls
from pageworker_supervisor.queue.usage import KEPT_DAYS, UsageRecords
from pageworker_supervisor.queue.usage_table import usage_csv

FORMATS = ("json", "csv")
CSV = "text/csv; charset=utf-8; header=present"
"""RFC 7111 and RFC 4180."""
DAYS = QueryField(
    "days",
    "Number of days, today included (UTC).",
    {"type": "integer", "minimum": 1, "maximum": KEPT_DAYS, "default": 1},
)
FORMAT = QueryField("format", "How the hours are written.", {"type": "string", "enum": FORMATS, "default": FORMATS[0]})


class UsageEndpoint:
    """The handler, over the queue."""

    def __init__(self, records: UsageRecords, calls: RedisCalls) -> None:
        self._records = records
        self._calls = calls

    def table(self) -> tuple[Endpoint, ...]:
        """The operation."""
        summary = "Show what the jobs of the tenant used, by the hour in which they ended"
        fixed = ("GET", "/v1/usage", self.usage, READ, summary, {200: (UsageAnswer,)})
        return (Endpoint(*fixed, query=(TENANT, DAYS, FORMAT), media_types=("text/csv",), problems=("not_found",)),)

    async def usage(self, request: Request, grant: ApiGrant) -> Response:
        """`GET /v1/usage`. A tenant whose settings are gone keeps its hours, so they are not looked up."""
        values = check_names(request.query_params.multi_items(), (TENANT.name, DAYS.name, FORMAT.name))
        tenant_id = tenant_of(grant, values.get(TENANT.name))
        days, form = count_of(values, DAYS.name, KEPT_DAYS, default=1), choice_of(values, FORMAT.name, FORMATS)
        hours = await self._calls.run(self._records.last_days(tenant_id, days))
        if form == "json":
            return json_response(usage_answer(tenant_id, hours))
        headers = {
            "Cache-Control": "no-store",
            "Content-Disposition": f'attachment; filename="usage-{tenant_id}.csv"',
        }
        return Response(usage_csv(hours, "\r\n"), headers=headers, media_type=CSV)
