"""Routes, and what all answers have in common."""

from pathlib import Path

import httpx
import pytest
from api.conftest import GivenGrant, GivenTokens
from starlette.requests import Request
from starlette.responses import Response

from pageworker_supervisor.api.app import api_app, starting_app
from pageworker_supervisor.api.artifact_downloads import ArtifactDownloads
from pageworker_supervisor.api.artifact_link_endpoint import ArtifactLinkEndpoint
from pageworker_supervisor.api.endpoint import Endpoint
from pageworker_supervisor.api.gate import RequestGate
from pageworker_supervisor.api.grant import ANY, ApiGrant
from pageworker_supervisor.api.redis_calls import RedisCalls
from pageworker_supervisor.api.whoami_endpoint import WHOAMI
from pageworker_supervisor.artifacts.store import ArtifactStore

BEARER = {"Authorization": "Bearer pw_a1_secret"}


async def fails(_: Request, grant: ApiGrant) -> Response:
    raise RuntimeError(f"a bug for {grant.tenant_id}")


LINKS = ArtifactLinkEndpoint(None, ArtifactDownloads(ArtifactStore.open("memory:///", Path("/x"))))
FAILS = Endpoint("POST", "/v1/fails", fails, ANY, "Fail", {})


def client(trouble: str = "", *, starting: bool = False) -> httpx.AsyncClient:
    gate = RequestGate(GivenTokens(), RedisCalls(), 10.0, 100)
    app = starting_app(lambda: trouble) if starting else api_app((WHOAMI, FAILS), gate, lambda: trouble, LINKS)
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://api.example")


@pytest.mark.parametrize(
    ("method", "path", "headers", "status", "code"),
    [
        ("GET", "/v1/whoami", {}, 401, "token_missing"),
        ("GET", "/v1/whoami", {"Authorization": "Bearer pw_x1_secret"}, 401, "token_invalid"),
        ("GET", "/v1/whoami?a=1", BEARER, 400, "invalid_request"),
        ("DELETE", "/v1/whoami", BEARER, 405, "method_not_allowed"),
        ("GET", "/v1/whoami/", BEARER, 404, "not_found"),
        ("GET", "/v2/whoami", BEARER, 404, "not_found"),
        ("GET", "/", {}, 404, "not_found"),
        ("POST", "/v1/fails", BEARER, 500, "internal_error"),
        ("GET", "/v1/artifacts/x", {}, 404, "not_found"),
    ],
)
async def test_every_error_is_a_problem_document(
    method: str, path: str, headers: dict[str, str], status: int, code: str
) -> None:
    async with client() as api:
        answer = await api.request(method, path, headers=headers)
    assert answer.headers["content-type"] == "application/problem+json"
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert "for acme" not in answer.text, "the log alone has it"
    if status == 405:
        assert set(answer.headers["allow"].split(", ")) == {"GET", "HEAD"}


async def test_every_answer_has_what_is_left_of_the_rate() -> None:
    async with client() as api:
        answer = await api.get("/v1/whoami", headers=BEARER)
        assert answer.headers["ratelimit"] == '"token";r=99;t=0'
        failed = await api.post("/v1/fails", headers=BEARER)
        assert failed.headers["ratelimit"].startswith('"token";r=9')
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["cache-control"] == "no-store"


async def test_probes_need_no_token() -> None:
    async with client("Redis does not answer") as api:
        assert (await api.get("/healthz")).status_code == 200
        ready = await api.get("/readyz")
    assert (ready.status_code, ready.json()["reason"]) == (503, "Redis does not answer")


async def test_while_it_starts_all_is_put_off() -> None:
    async with client(starting=True) as api:
        answer = await api.post("/v1/jobs", headers=BEARER)
        assert (answer.status_code, answer.json()["code"]) == (503, "redis_unavailable")
        assert "retry-after" in answer.headers
        assert (await api.get("/readyz")).json() == {"ready": False, "reason": "starting"}
        assert (await api.get("/healthz")).status_code == 200


def test_a_grant_of_the_tests_is_one() -> None:
    grant: ApiGrant = GivenGrant("acme", ANY, "a1")
    assert grant.tenant_id == "acme"
