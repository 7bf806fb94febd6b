"""Who sends a request, and whether it may come now: token, scope, rate."""

import time

from starlette.requests import Request

from pageworker_supervisor.api.answers import RequestLimit
from pageworker_supervisor.api.grant import ApiGrant, GrantReader, bearer_token, invalid_token, require_scope
from pageworker_supervisor.api.known_credentials import KnownCredentials
from pageworker_supervisor.api.problem import ApiProblem
from pageworker_supervisor.api.redis_calls import RedisCalls
from pageworker_supervisor.api.request_log import GRANT
from pageworker_supervisor.api.token_buckets import TokenBuckets, limit_headers

FAILURES_PER_SECOND = 5.0
FAILURES_BURST = 50
"""Lookups of unknown tokens per peer. Tokens that were valid a moment ago are not held up by them."""
LIMIT_HEADERS = "pageworker_limit_headers"
"""In the state of a request: headers that its answer carries."""


class RequestGate:
    """Checks each request before anything of it is read."""

    def __init__(self, reader: GrantReader, calls: RedisCalls, rate: float, burst: int) -> None:
        self._reader = reader
        self._calls = calls
        self._buckets = TokenBuckets(rate, burst)
        self._known = KnownCredentials(FAILURES_PER_SECOND, FAILURES_BURST)

    async def admit(self, request: Request, scopes: frozenset[str]) -> ApiGrant:
        """What the token of the request permits. Raises ApiProblem."""
        token = bearer_token(request.headers.get("authorization"))
        grant = await self._grant(token, request.client.host if request.client else "")
        setattr(request.state, GRANT, grant)
        state = self._buckets.take(grant.token_id, time.monotonic())
        headers = limit_headers(self._buckets, state)
        setattr(request.state, LIMIT_HEADERS, headers)
        if not state.allowed:
            detail = f"At most {self._buckets.rate:g} requests per second, {self._buckets.burst} at once"
            raise ApiProblem("rate_limited", detail, retry_after=state.wait_seconds)
        require_scope(grant, scopes)
        return grant

    def requests_of(self, grant: ApiGrant) -> RequestLimit:
        """How many requests the token may still send."""
        left = self._buckets.state(grant.token_id, time.monotonic()).left
        return RequestLimit(per_second=self._buckets.rate, burst=self._buckets.burst, left=left)

    async def still_admits(self, request: Request) -> bool:
        """Whether the token of a request that is being answered is valid yet. Raises ApiProblem."""
        token = bearer_token(request.headers.get("authorization"))
        return await self._calls.run(self._reader.grant(token)) is not None

    async def _grant(self, token: str, peer: str) -> ApiGrant:
        grant = await self._known.look_up(token, peer, lambda: self._calls.run(self._reader.grant(token)))
        if grant is None:
            raise invalid_token()
        return grant
