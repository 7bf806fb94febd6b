"""Who may look: tokens, sessions, the open page, and forms of other sites."""

import time
from pathlib import Path

import pytest
from api.status_page.conftest import page_settings, status_page
from pw_servers import RedisServer
from starlette.datastructures import Headers

from pageworker_supervisor.api.status_page import visitors
from pageworker_supervisor.api.status_page.site import POLICY
from pageworker_supervisor.api.status_page.visitors import (
    COOKIE,
    FAILURES_BURST,
    comes_from_this_page,
    is_open,
    token_of_form,
)
from pageworker_supervisor.config.status_page_settings import StatusPageSettings

WRONG = f"pw_{'0' * 16}_{'1' * 64}"


@pytest.mark.parametrize(
    ("peer", "headers", "expected"),
    [
        ("127.0.0.1", {"host": "127.0.0.1:9480"}, True),
        ("::1", {"host": "[::1]:9480"}, True),
        ("127.0.0.1", {"host": "localhost"}, True),
        ("127.0.0.1", {"host": "status.example"}, True),
        ("127.0.0.1", {"host": "evil.test"}, False),
        ("10.0.0.1", {"host": "localhost"}, False),
        ("127.0.0.1", {"host": "localhost", "x-forwarded-for": "10.0.0.1"}, False),
        ("127.0.0.1", {"host": "localhost", "forwarded": "for=10.0.0.1"}, False),
        ("127.0.0.1", {"host": "localhost", "sec-fetch-site": "cross-site", "sec-fetch-dest": "image"}, False),
        ("127.0.0.1", {"host": "localhost", "sec-fetch-site": "same-site", "sec-fetch-dest": "iframe"}, False),
        ("127.0.0.1", {"host": "localhost", "sec-fetch-site": "cross-site", "sec-fetch-dest": "document"}, True),
    ],
)
def test_an_open_page_is_open_to_this_host_alone(peer: str, headers: dict[str, str], expected: bool) -> None:
    assert is_open(Headers(headers), peer, ("status.example",)) is expected


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({"origin": "https://a.test", "host": "a.test"}, True),
        ({"origin": "http://a.test:1", "host": "a.test:1", "sec-fetch-site": "same-origin"}, True),
        ({"origin": "http://evil.test", "host": "a.test"}, False),
        ({"origin": "http://a.test:2", "host": "a.test:1"}, False),
        ({"origin": "null", "host": "a.test"}, False),
        ({"host": "a.test"}, False),
        ({"origin": "", "host": ""}, False),
        ({"origin": "http://a.test", "host": "a.test", "sec-fetch-site": "cross-site"}, False),
    ],
)
def test_forms_of_other_sites_do_not_count(headers: dict[str, str], expected: bool) -> None:
    assert comes_from_this_page(Headers(headers)) is expected


@pytest.mark.parametrize("form", [b"", b"token=", b"token=x", b"a=pw_1_2", b"\xff", b"token=pw_%ff_1", b"&" * 100])
def test_a_form_without_a_token(form: bytes) -> None:
    assert token_of_form(form) is None
    assert token_of_form(b"token=+pw_a1_b2+&x=1") == "pw_a1_b2"


async def test_signing_in_and_out(live_redis: RedisServer, tmp_path: Path) -> None:
    page_of_ten_minutes = StatusPageSettings(session_seconds=600)
    async with status_page(page_settings(live_redis.url, tmp_path, page_of_ten_minutes)) as site:
        client, token = site.api.client, await site.token("acme")
        anonymous = await client.get("/jobs")
        assert (anonymous.status_code, anonymous.headers["location"]) == (303, "/sign-in")
        answer = await site.sign_in(token)
        assert (answer.status_code, answer.headers["location"]) == (303, "/signed-in")
        cookie = answer.headers["set-cookie"]
        assert cookie.startswith(f"{COOKIE}=pws_")
        assert cookie.partition("; ")[2] == "Path=/; Secure; HttpOnly; SameSite=Strict"
        assert token.rpartition("_")[2] not in cookie, "the browser does not keep the token"
        session = {"Cookie": cookie.partition(";")[0]}
        client.cookies.clear()
        assert (await client.get("/signed-in")).status_code == 403
        assert (await client.get("/signed-in", headers=session)).headers["location"] == "/"
        page = await client.get("/", headers=session)
        assert page.status_code == 200
        assert page.headers["content-security-policy"] == POLICY
        assert "script-src" not in POLICY
        assert page.headers["x-content-type-options"] == "nosniff"
        assert page.headers["cache-control"] == "no-store"
        assert "refresh" not in page.headers
        assert (await client.get("/?refresh=on", headers=session)).headers["refresh"] == "10"
        text = session["Cookie"].partition("=")[2]
        assert abs(int(text.split("_")[2]) - time.time() - 600) < 60
        bearer = await client.get("/v1/jobs/1", headers={"Authorization": f"Bearer {text}"})
        assert bearer.status_code == 401, "a session is no token of the API"
        foreign = await client.post("/sign-out", headers={**session, "Origin": "http://evil.test"})
        assert foreign.status_code == 403
        left = await client.post("/sign-out", headers={**session, "Origin": site.url})
        assert "Max-Age=0" in left.headers["set-cookie"]


async def test_what_is_refused(live_redis: RedisServer, tmp_path: Path) -> None:
    async with status_page(page_settings(live_redis.url, tmp_path)) as site:
        good, publisher = await site.token("acme"), await site.token("acme", "publisher")
        assert "needs a token with one of the scopes" in (await site.sign_in(publisher)).text
        assert (await site.sign_in(good, Origin="http://evil.test")).status_code == 403
        long = await site.api.client.post("/sign-in", content=b"token=" + b"a" * 5000, headers={"Origin": site.url})
        assert "too long" in long.text
        cookie = await site.cookie("acme")
        codes = [(await site.sign_in(WRONG)).status_code for _ in range(FAILURES_BURST + 10)]
        assert codes[0] == 403
        assert codes[-1] == 429
        assert codes.count(403) <= FAILURES_BURST + 5
        assert (await site.api.client.get("/", headers=cookie)).status_code == 200, "a session goes on"
        forged = {"Cookie": f"{COOKIE}=pws_{'0' * 16}_2000000000_{'0' * 64}"}
        assert (await site.api.client.get("/", headers=forged)).status_code == 429


async def test_pages_of_one_token_have_a_rate(
    live_redis: RedisServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(visitors, "REQUESTS_PER_SECOND", 0.001)
    monkeypatch.setattr(visitors, "REQUESTS_BURST", 3)
    async with status_page(page_settings(live_redis.url, tmp_path)) as site:
        cookie, client = await site.cookie("acme"), site.api.client
        assert [(await client.get("/runners", headers=cookie)).status_code for _ in range(4)] == [200, 200, 200, 429]
        assert (await client.get("/runners", headers=await site.cookie("acme"))).status_code == 200


async def test_a_page_that_is_open_or_not_there(live_redis: RedisServer, tmp_path: Path) -> None:
    open_page = StatusPageSettings(open_on_loopback=True)
    async with status_page(page_settings(live_redis.url, tmp_path, open_page)) as site:
        page = await site.api.client.get("/workers")
        assert (page.status_code, "Sign out" in page.text) == (200, False)
        for headers in ({"Host": "evil.test"}, {"X-Forwarded-For": "10.0.0.1"}):
            assert (await site.api.client.get("/workers", headers=headers)).status_code == 303
        tenant = await site.api.client.get("/workers", headers=await site.cookie("acme"))
        assert tenant.status_code == 404, "a session counts more than the open page"
    async with status_page(page_settings(live_redis.url, tmp_path, StatusPageSettings(enabled=False))) as site:
        for path in ("/", "/sign-in", "/status.css"):
            assert (await site.api.client.get(path)).status_code == 404
