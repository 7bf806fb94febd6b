"""The login probe of a module: when it runs, what it finds, and what it may not do."""

from typing import Any

import pytest
from pw_doubles import any_typed
from pw_runner.bundles import handler
from pw_runner.site import Request, SiteAnswer
from pw_runner.supervisor import Supervisor

from pageworker_runner.attempts import login_probe
from pageworker_sandbox.wire.messages import Obstacle
from pageworker_sandbox.wire.profile_report import ProfileReport

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]

REPORT = ProfileReport(state="authenticated")


def probing(name: str, probe: str, body: str = "return {}") -> Any:
    lines = "\n".join(f"    {line}" for line in probe.splitlines())
    return handler(body, name=name, before=f"async def login_probe(page, helpers, context):\n{lines}\n")


@pytest.mark.parametrize(
    ("wish", "outcome", "blocker", "reported", "runs"),
    [
        ("no", "blocked", "login_required", None, False),
        ("login_required", "succeeded", None, None, False),
        ("login_required", "blocked", "captcha", None, False),
        ("login_required", "blocked", "login_required", None, True),
        ("login_required", "blocked", "login_required", REPORT, False),
        ("due", "succeeded", None, None, True),
        ("due", "failed", None, None, True),
        ("due", "succeeded", None, REPORT, False),
        ("due", "timed_out", None, None, False),
        ("due", "cancelled", None, None, False),
    ],
)
async def test_when_a_probe_runs(wish: str, outcome: str, blocker: Any, reported: Any, runs: bool) -> None:
    attempt = any_typed(
        type("Ended", (), {"profile": reported, "handler_began": True, "run": type("R", (), {"probe": wish})})
    )
    obstacle = Obstacle(kind=blocker) if blocker else None
    assert login_probe.wanted(attempt, any_typed(type("E", (), {"outcome": outcome, "obstacle": obstacle}))) == runs


async def test_a_probe_looks_after_the_result_on_the_page_of_the_job(runner: Supervisor) -> None:
    def account(request: Request) -> SiteAnswer:
        return SiteAnswer("<h1>log in</h1>" if "sid" not in request.headers.get("cookie", "") else "<h1>Ada</h1>")

    runner.site.pages |= {
        "/account": account,
        "/in": SiteAnswer("<h1>in</h1>", headers=("Set-Cookie: sid=1; Max-Age=99",)),
    }
    probe = """
await page.goto("http://shop.example/account?x=1")
if await page.inner_text("h1") == "Ada":
    return "authenticated"
helpers.profile_state("needs_human", text="a form")
return "needs_human"
"""
    logs_in = "if payload.get('in'):\n    await page.goto('http://shop.example/in')\nreturn {'done': True}"
    module = probing("looks", probe, logs_in)
    report = await runner.run(module, profile_id="buyer", probe="due")
    assert report.data == {"done": True}
    assert report.probed == ProfileReport(
        state="needs_human", evidence={"text": "a form"}, url="http://shop.example/account"
    )
    report = await runner.run(module, {"in": True}, profile_id="buyer", probe="due")
    assert report.probed == ProfileReport(state="authenticated", url="http://shop.example/account")
    assert (await runner.run(module, profile_id="buyer")).probed is None


@pytest.mark.parametrize(
    ("name", "probe", "told"),
    [
        ("raises", "raise ValueError('x')", "ValueError"),
        ("answers", "return 'logged in'", "none of authenticated"),
        ("asks", "return await helpers.secret('shop_login')", "secret"),
        ("stores", "await helpers.artifact('a', b'x')", "attempt has ended"),
    ],
)
async def test_a_probe_that_finds_nothing_says_why(runner: Supervisor, name: str, probe: str, told: str) -> None:
    seen = len(runner.logs)
    report = await runner.run(probing(name, probe), profile_id="buyer", probe="due")
    assert (report.data, report.probed) == ({}, None)
    assert told in "".join(log.message for log in runner.logs[seen:])


async def test_a_probe_that_does_not_end_costs_its_time_and_the_page_stays_usable(
    runner: Supervisor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(login_probe, "PROBE_SECONDS", 0.2)
    waits = probing("waits", "import asyncio\nawait asyncio.get_running_loop().create_future()")
    assert (await runner.run(waits, profile_id="buyer", probe="due")).probed is None
    assert "did not end" in runner.logs[-1].message
    blocked = probing("blocks", "helpers.blocked('login_required', selector='#login')")
    report = await runner.run(blocked, profile_id="buyer", probe="due")
    assert report.probed == ProfileReport(state="needs_login", evidence={"selector": "#login"})
