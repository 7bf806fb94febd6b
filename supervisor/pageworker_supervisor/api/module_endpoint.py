"""The modules that a tenant may run, with the schemas of their payloads."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.requests import Request
from starlette.responses import Response

from pageworker_sandbox.signing import ModuleError
from pageworker_supervisor.admin.operator_api import json_response
from pageworker_supervisor.api.answers import ModuleAnswer, ModuleList
from pageworker_supervisor.api.endpoint import TENANT, Endpoint, QueryField
from pageworker_supervisor.api.grant import ANY, ApiGrant, tenant_of
from pageworker_supervisor.api.problem import ApiProblem
from pageworker_supervisor.api.query import check_names, count_of, text_of
from pageworker_supervisor.config.live import Live
from pageworker_supervisor.config.settings import Settings
from pageworker_supervisor.config.tenant_lookup import limits_for
from pageworker_supervisor.contract.job import JobRef
from pageworker_supervisor.registry import Registry
from pageworker_supervisor.registry.resolve import check_allowed

MOST_PER_PAGE = 100
MOST_CHARACTERS = 200
FETCHES = 4
"""Bundles that are fetched at the same time. Those that were fetched before are in memory or on disk."""
FETCH_SECONDS = 20.0
"""For all bundles of one request."""
AGAIN_SECONDS = 5.0
NO_JOB = "-"
"""In place of the id of a job: a rollout gives jobs one of two versions by their ids."""


class ModuleEndpoint:
    """The handlers, over a registry; None: no key is trusted, so no module can be shown."""

    def __init__(self, registry: Registry | None, live: Live[Settings]) -> None:
        self._registry = registry
        self._live = live
        self._turns = asyncio.Semaphore(FETCHES)

    def table(self) -> tuple[Endpoint, ...]:
        """The operations."""
        after = QueryField(
            "after", "The name after which the page begins.", {"type": "string", "maxLength": MOST_CHARACTERS}
        )
        count = QueryField(
            "count", "Modules per page.", {"type": "integer", "minimum": 1, "maximum": MOST_PER_PAGE, "default": 100}
        )
        summary = "List the modules that the tenant may run"
        problems = ("not_found", "registry_unavailable")
        return (
            Endpoint(
                *("GET", "/v1/modules", self.modules, ANY, summary, {200: (ModuleList,)}),
                query=(TENANT, after, count),
                problems=problems,
            ),
            Endpoint(
                *("GET", "/v1/modules/{module}", self.module, ANY, "Show a module", {200: (ModuleAnswer,)}),
                query=(TENANT,),
                problems=problems,
            ),
        )

    async def modules(self, request: Request, grant: ApiGrant) -> Response:
        """`GET /v1/modules`."""
        values = check_names(request.query_params.multi_items(), (TENANT.name, "after", "count"))
        tenant_id = tenant_of(grant, values.get(TENANT.name))
        count, registry = count_of(values, "count", MOST_PER_PAGE), self._opened()
        last = text_of(values, "after", MOST_CHARACTERS)
        names = [name for name in registry.names if name > last]
        found: list[ModuleAnswer] = []
        at = 0
        async with _within_time():
            while at < len(names) and len(found) < count:
                batch = names[at : at + count - len(found)]
                at += len(batch)
                answers = await asyncio.gather(*(self._answer(registry, tenant_id, name) for name in batch))
                found += [answer for answer in answers if answer is not None]
        return json_response(ModuleList(tuple(found), names[at - 1] if at < len(names) else None))

    async def module(self, request: Request, grant: ApiGrant) -> Response:
        """`GET /v1/modules/{module}`."""
        values = check_names(request.query_params.multi_items(), (TENANT.name,))
        tenant_id, registry = tenant_of(grant, values.get(TENANT.name)), self._opened()
        async with _within_time():
            answer = await self._answer(registry, tenant_id, request.path_params["module"])
        if answer is None:
            raise ApiProblem("not_found", "There is no such module for this tenant")
        return json_response(answer)

    def _opened(self) -> Registry:
        if self._registry is None:
            raise ApiProblem("registry_unavailable", "The API has no trusted key", hint="set modules.trusted_keys")
        return self._registry

    async def _answer(self, registry: Registry, tenant_id: str, name: str) -> ModuleAnswer | None:
        """None: the tenant may not run it, or it has no version that a job would get."""
        try:
            check_allowed(name, tenant_id, limits_for(self._live.value.tenants, tenant_id).modules)
            release = registry.resolve(name, None, JobRef(tenant_id, NO_JOB))
            async with self._turns:
                bundle = await registry.bundle(release)
            registry.check_tenant(bundle, tenant_id)
        except ModuleError as error:
            if error.retryable:
                detail = "The registry does not answer"
                raise ApiProblem("registry_unavailable", detail, retry_after=AGAIN_SECONDS) from error
            return None
        return ModuleAnswer(
            name=name,
            version=release.version,
            description=bundle.manifest.description,
            input=bundle.input_schema,
            output=bundle.output_schema,
            timeout_seconds=bundle.manifest.timeout_seconds,
        )


@asynccontextmanager
async def _within_time() -> AsyncIterator[None]:
    try:
        async with asyncio.timeout(FETCH_SECONDS):
            yield
    except TimeoutError:
        detail = f"The bundles were not fetched within {FETCH_SECONDS:g} s"
        raise ApiProblem("registry_unavailable", detail, retry_after=AGAIN_SECONDS) from None
