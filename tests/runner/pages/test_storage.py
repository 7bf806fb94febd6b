"""What a browser context keeps: a profile keeps everything, an ephemeral one nothing once none of its jobs runs."""

from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from pw_runner.bundles import handler
from pw_runner.sandboxed import Sandboxed
from pw_runner.site import Request, SiteAnswer
from pw_runner.supervisor import CHROMIUM, HEADLESS_SHELL, Supervisor

from pageworker_runner.exit_codes import RunnerExit
from pageworker_sandbox.wire import messages as m

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]

Start = Callable[..., Awaitable[Supervisor]]
LOGIN = handler(
    "await page.goto('http://shop.example/login')\n"
    "await page.evaluate(\"localStorage.setItem('seen', 'yes')\")\nreturn {}",
    name="login",
)
ACCOUNT = handler(
    "await page.goto('http://shop.example/account')\n"
    "return {'hello': await page.inner_text('h1'), 'seen': await page.evaluate(\"localStorage.getItem('seen')\")}",
    name="account",
)
# Caches and service workers need a trustworthy origin, and *.localhost is one.
REMEMBER = handler(
    """
    await page.goto("http://app.localhost/app")
    await page.evaluate('''async () => {
        localStorage.setItem("left", "1");
        document.cookie = "left=1";
        await new Promise(done => { indexedDB.open("left").onsuccess = done });
        await (await caches.open("left")).put("/x", new Response("x"));
        await navigator.serviceWorker.register("/worker.js");
        await navigator.serviceWorker.ready;
    }''')
    return {}
    """,
    name="remember",
)
RECALL = handler(
    """
    await page.goto("http://app.localhost/app")
    return await page.evaluate('''async () => ({
        local: localStorage.length, cookie: document.cookie, databases: (await indexedDB.databases()).length,
        caches: (await caches.keys()).length, workers: (await navigator.serviceWorker.getRegistrations()).length,
    })''')
    """,
    name="recall",
)
NOTHING = {"local": 0, "cookie": "", "databases": 0, "caches": 0, "workers": 0}
EVERYTHING = {"local": 1, "cookie": "left=1", "databases": 1, "caches": 1, "workers": 1}


def shop(runner: Supervisor) -> None:
    def account(request: Request) -> SiteAnswer:
        return SiteAnswer(f"<h1>{'Ada' if 'sid=ada' in request.headers.get('cookie', '') else 'who?'}</h1>")

    runner.site.pages |= {
        "/login": SiteAnswer("<h1>in</h1>", headers=("Set-Cookie: sid=ada; Max-Age=9999; HttpOnly",)),
        "/account": account,
        "/app": SiteAnswer("<h1>app</h1>"),
        "/worker.js": SiteAnswer("self.addEventListener('fetch', () => {})", content_type="text/javascript"),
    }


@pytest.mark.sandbox
@pytest.mark.parametrize("browser", [CHROMIUM, HEADLESS_SHELL], ids=lambda path: path.name)
async def test_a_login_in_a_profile_survives_a_new_runner(browser: Path, profile: Path) -> None:
    for module, expected in ((LOGIN, {}), (ACCOUNT, {"hello": "Ada", "seen": "yes"})):
        runner = await Sandboxed(browser, profile, pages=1).start()
        try:
            shop(runner)
            assert (await runner.run(module)).data == expected
            assert await runner.stop() == RunnerExit.STOPPED
        finally:
            await runner.close()


async def test_a_persistent_context_keeps_its_state_between_jobs(start: Start) -> None:
    runner = await start(persistent=True)
    shop(runner)
    await runner.run(LOGIN)
    assert (await runner.run(ACCOUNT)).data == {"hello": "Ada", "seen": "yes"}


async def test_an_ephemeral_context_forgets_when_none_of_its_jobs_runs(start: Start) -> None:
    runner = await start(persistent=False)
    shop(runner)
    await runner.run(REMEMBER)
    assert (await runner.run(RECALL)).data == NOTHING


async def test_jobs_that_overlap_share_the_ephemeral_context(start: Start) -> None:
    runner = await start(persistent=False)
    shop(runner)
    waits = await runner.begin(handler("await asyncio.get_running_loop().create_future()\nreturn {}", name="waits"))
    await runner.accepted(waits)
    await runner.run(REMEMBER)
    assert (await runner.run(RECALL)).data == EVERYTHING
    await runner.send(m.Cancel(attempt_id=waits, outcome="cancelled"))
    await runner.finished(waits)
    assert (await runner.run(RECALL)).data == NOTHING


async def test_jobs_that_end_together_are_forgotten_together(start: Start) -> None:
    runner = await start(persistent=False)
    shop(runner)
    for _ in range(3):
        attempts = [await runner.begin(LOGIN), await runner.begin(LOGIN)]
        for attempt in attempts:
            await runner.finished(attempt)
        assert (await runner.run(ACCOUNT)).data == {"hello": "who?", "seen": None}
