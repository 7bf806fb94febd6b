"""What a token permits."""

from starlette.requests import Request
from starlette.responses import Response

from pageworker_supervisor.admin.operator_api import json_response
from pageworker_supervisor.api.answers import WhoAmIAnswer
from pageworker_supervisor.api.endpoint import Endpoint
from pageworker_supervisor.api.grant import ANY, ApiGrant
from pageworker_supervisor.api.query import check_names
from pageworker_supervisor.contract.utc_time import utc_time


async def whoami(request: Request, grant: ApiGrant) -> Response:
    """`GET /v1/whoami`."""
    check_names(request.query_params.multi_items(), ())
    answer = WhoAmIAnswer(
        token_id=grant.token_id,
        tenant_id=grant.tenant_id,
        scopes=tuple(sorted(grant.scopes)),
        expires_at=None if grant.expires_at is None else utc_time(grant.expires_at),
    )
    return json_response(answer)


WHOAMI = Endpoint("GET", "/v1/whoami", whoami, ANY, "Show what the token permits", {200: (WhoAmIAnswer,)})
