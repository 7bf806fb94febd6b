"""The operations on subscriptions: make one, look, end one."""

import datetime as dt
import re
from typing import Literal

import msgspec
from msgspec import Struct
from starlette.requests import Request
from starlette.responses import Response

from pageworker_supervisor.admin.operator_api import json_response
from pageworker_supervisor.api.endpoint import TENANT, Endpoint
from pageworker_supervisor.api.grant import WRITE, ApiGrant, tenant_of
from pageworker_supervisor.api.problem import ApiProblem
from pageworker_supervisor.api.query import check_names
from pageworker_supervisor.api.redis_calls import RedisCalls
from pageworker_supervisor.api.request_body import RequestBodies
from pageworker_supervisor.config.live import Live
from pageworker_supervisor.config.settings import Settings
from pageworker_supervisor.config.tenant_lookup import GlobTable
from pageworker_supervisor.contract.job import too_deep
from pageworker_supervisor.contract.job_errors import MAX_TEXT_DEPTH, UNREADABLE
from pageworker_supervisor.contract.subscription import (
    SubscriptionInvalid,
    SubscriptionRequest,
    callback_trouble,
    checked_events,
    checked_modules,
)
from pageworker_supervisor.contract.utc_time import utc_time
from pageworker_supervisor.queue.subscriptions import (
    Subscription,
    Subscriptions,
    is_subscription_id,
    new_subscription_id,
)
from pageworker_supervisor.telemetry import log

_requests = msgspec.json.Decoder(SubscriptionRequest)
_PLACE = re.compile(r"^(.*) - at `\$\.?([^`]*)`$", re.DOTALL)


class SubscriptionAnswer(Struct, frozen=True, kw_only=True):
    """One subscription. `modules` empty: results of all modules. `state` `disabled`: nothing is sent, by `reason`.
    `failing_since`: the first try in vain since the last delivery; null: none failed. `waiting`: events that are to be
    delivered. `dropped`: those that were not kept because too many waited."""

    subscription_id: str
    tenant_id: str
    url: str
    events: tuple[str, ...]
    modules: tuple[str, ...]
    state: Literal["active", "disabled"]
    reason: str | None
    created_at: dt.datetime
    failing_since: dt.datetime | None
    delivered_at: dt.datetime | None
    waiting: int
    dropped: int


class SubscriptionList(Struct, frozen=True):
    """The subscriptions of a tenant, the oldest first."""

    subscriptions: tuple[SubscriptionAnswer, ...]


class SubscriptionEnded(Struct, frozen=True):
    """A subscription that gets nothing any more."""

    subscription_id: str
    tenant_id: str


class SubscriptionEndpoints:
    """The handlers, over the queue and the settings. A token needs the scope `producer`, to look as well: the URL
    may be enough to start a flow."""

    def __init__(
        self, subscriptions: Subscriptions, calls: RedisCalls, bodies: RequestBodies, live: Live[Settings]
    ) -> None:
        self._subscriptions = subscriptions
        self._calls = calls
        self._bodies = bodies
        self._live = live

    def table(self) -> tuple[Endpoint, ...]:
        """The operations."""
        every, one = "/v1/subscriptions", "/v1/subscriptions/{subscription_id}"
        made = {200: (SubscriptionAnswer,), 201: (SubscriptionAnswer,)}
        body = ("body_timeout", "body_too_large", "media_type", "invalid_json")
        refused = ("subscription_invalid", "subscriptions_full")
        return (
            Endpoint(
                *("POST", every, self.subscribe, WRITE, "Get results and events at a URL", made),
                query=(TENANT,),
                takes=SubscriptionRequest,
                problems=("not_found", *body, *refused),
            ),
            Endpoint(
                *("GET", every, self.list, WRITE, "List the subscriptions of the tenant", {200: (SubscriptionList,)}),
                query=(TENANT,),
                problems=("not_found",),
            ),
            Endpoint(
                *("GET", one, self.show, WRITE, "Show a subscription", {200: (SubscriptionAnswer,)}),
                query=(TENANT,),
                problems=("not_found",),
            ),
            Endpoint(
                *("DELETE", one, self.unsubscribe, WRITE, "End a subscription", {200: (SubscriptionEnded,)}),
                query=(TENANT,),
                problems=("not_found",),
            ),
        )

    async def subscribe(self, request: Request, grant: ApiGrant) -> Response:
        """`POST /v1/subscriptions`. The same request again finds the same subscription, and enables it again."""
        tenant_id = _tenant(request, grant)
        settings = GlobTable(dict(self._live.value.tenants), None).find(tenant_id)
        if settings is None:
            raise ApiProblem("not_found", "There is no such tenant")
        async with self._bodies.json(request, tenant_id) as untrusted_body:
            wanted = _read(untrusted_body)
        try:
            events = checked_events(wanted.events)
            modules = checked_modules(wanted.modules, events)
        except SubscriptionInvalid as invalid:
            raise ApiProblem("invalid_request", str(invalid), field=invalid.field, hint=invalid.hint) from None
        has_secret = settings.callback_secret is not None or settings.callback_secret_file is not None
        if (trouble := callback_trouble(wanted.url, settings.callback_allow, has_secret=has_secret)) is not None:
            raise ApiProblem("subscription_invalid", str(trouble), field=trouble.field, hint=trouble.hint)
        adding = self._subscriptions.add(tenant_id, new_subscription_id(), wanted.url, events, modules)
        added = await self._calls.run(adding)
        if added is None:
            hint = "end one: DELETE /v1/subscriptions/{subscription_id}"
            raise ApiProblem("subscriptions_full", "The tenant has as many subscriptions as it may have", hint=hint)
        answer = _answer(added.subscription)
        log.info("subscription made", tenant_id=tenant_id, subscription=answer.subscription_id, token=grant.token_id)
        return json_response(answer, 200 if added.known else 201)

    async def list(self, request: Request, grant: ApiGrant) -> Response:
        """`GET /v1/subscriptions`."""
        found = await self._calls.run(self._subscriptions.of(_tenant(request, grant)))
        return json_response(SubscriptionList(tuple(map(_answer, found))))

    async def show(self, request: Request, grant: ApiGrant) -> Response:
        """`GET /v1/subscriptions/{subscription_id}`."""
        return json_response(_answer(await self._find(_tenant(request, grant), request)))

    async def unsubscribe(self, request: Request, grant: ApiGrant) -> Response:
        """`DELETE /v1/subscriptions/{subscription_id}`."""
        tenant_id = _tenant(request, grant)
        id_ = _id(request)
        if not await self._calls.run(self._subscriptions.remove(tenant_id, id_)):
            raise _nothing_there()
        log.info("subscription ended", tenant_id=tenant_id, subscription=id_, token=grant.token_id)
        return json_response(SubscriptionEnded(id_, tenant_id))

    async def _find(self, tenant_id: str, request: Request) -> Subscription:
        id_ = _id(request)
        for each in await self._calls.run(self._subscriptions.of(tenant_id)):
            if each.subscription_id == id_:
                return each
        raise _nothing_there()


def _answer(found: Subscription) -> SubscriptionAnswer:
    """A subscription as the API shows it."""
    return SubscriptionAnswer(
        subscription_id=found.subscription_id,
        tenant_id=found.tenant_id,
        url=found.url,
        events=found.events,
        modules=found.modules,
        state=found.state,
        reason=found.reason,
        created_at=dt.datetime.fromtimestamp(found.created_at, dt.UTC),
        failing_since=_instant(found.failing_since),
        delivered_at=_instant(found.delivered_at),
        waiting=found.waiting,
        dropped=found.dropped,
    )


def _instant(seconds: float | None) -> dt.datetime | None:
    return None if seconds is None else utc_time(seconds)


def _tenant(request: Request, grant: ApiGrant) -> str:
    return tenant_of(grant, check_names(request.query_params.multi_items(), (TENANT.name,)).get(TENANT.name))


def _id(request: Request) -> str:
    untrusted_id: str = request.path_params["subscription_id"]
    if not is_subscription_id(untrusted_id):
        raise _nothing_there()
    return untrusted_id


def _nothing_there() -> ApiProblem:
    return ApiProblem("not_found", "There is no such subscription")


def _read(untrusted_body: bytes) -> SubscriptionRequest:
    if too_deep(untrusted_body):
        raise ApiProblem("invalid_json", f"The body is nested more than {MAX_TEXT_DEPTH} levels deep")
    try:
        return _requests.decode(untrusted_body)
    except msgspec.ValidationError as error:
        found = _PLACE.match(str(error))
        message, field = (found[1], found[2]) if found else (str(error), "")
        hint = '{"url": "https://…", "events": ["job.*"]}'
        raise ApiProblem("invalid_request", f"The body is not valid: {message}", field=field, hint=hint) from None
    except UNREADABLE as error:
        raise ApiProblem("invalid_json", f"The body cannot be read: {error}") from None
