"""The runner under the real launcher: it comes up confined, works, and ends cleanly."""

import os
import resource
from collections.abc import Iterator
from pathlib import Path

import pytest
from pw_runner.bundles import handler
from pw_runner.sandboxed import Sandboxed
from pw_runner.site import SiteAnswer
from pw_runner.supervisor import CHROMIUM, HEADLESS_SHELL

from pageworker_runner.exit_codes import RunnerExit
from pageworker_runner.pages.playwright_internals.driver_files import bundles
from pageworker_runner.startup import limit_own_data

pytestmark = [pytest.mark.browser, pytest.mark.sandbox, pytest.mark.asyncio(loop_scope="module")]

BROWSERS = pytest.mark.parametrize("browser", [CHROMIUM, HEADLESS_SHELL], ids=lambda path: path.name)


@BROWSERS
async def test_it_comes_up_confined_and_works(browser: Path) -> None:
    runner = await Sandboxed(browser).start()
    try:
        assert runner.ready is not None
        assert_the_driver_reads_a_cache(runner)
        said = runner.ready.evidence["chromium_sandbox"]
        assert runner.ready.evidence["landlock"].split()[0] == "fs"
        assert said == ("You are adequately sandboxed." if browser == CHROMIUM else "renderer: NoNewPrivs 1, Seccomp 2")
        runner.site.pages["/p"] = SiteAnswer("<h1>Chair</h1>")
        module = handler("""
            await page.goto("http://shop.example/p")
            await helpers.screenshot()
            refused = []
            import os, socket, subprocess
            for act in (lambda: open("/etc/passwd"), lambda: os.listdir("/profile"), os.fork, socket.socket,
                        lambda: subprocess.run(["/usr/bin/true"]), lambda: open("/tmp/x", "w")):
                try:
                    act()
                except OSError as error:
                    refused.append(type(error).__name__)
            names = sorted({"NODE_OPTIONS", "DRIVER_CACHE_FOLDER"} & set(os.environ))
            return {"title": await page.inner_text("h1"), "refused": len(refused), "variables": names}
        """)
        report = await runner.run(module)
        assert report.data == {"title": "Chair", "refused": 6, "variables": []}
        assert report.artifacts[0][1].startswith(b"\x89PNG")
        assert {request.host for request in runner.site.seen} == {"shop.example"}
        # None of the browser's own pages was taken for a popup.
        assert runner.logs == []
        assert await runner.stop() == RunnerExit.STOPPED
    finally:
        await runner.close()


def below(pid: int) -> Iterator[int]:
    """All processes below this one."""
    for task in Path(f"/proc/{pid}/task").iterdir():
        for child in map(int, (task / "children").read_text().split()):
            yield child
            yield from below(child)


def cache_variables(pid: int) -> set[str]:
    """Variables of the driver's cache that a process was started with."""
    names = {item.partition("=")[0] for item in Path(f"/proc/{pid}/environ").read_text().split("\0")}
    return names & {"NODE_OPTIONS", "DRIVER_CACHE_FOLDER"}


def assert_the_driver_reads_a_cache(runner: Sandboxed) -> None:
    """It has the cache that was installed, read-only, and the browser does not know of it."""
    processes = below(runner.sandboxed_process.pid)
    driver = next(pid for pid in processes if "run-driver" in Path(f"/proc/{pid}/cmdline").read_text())
    assert cache_variables(driver) == {"NODE_OPTIONS", "DRIVER_CACHE_FOLDER"}
    inside = "/opt/pageworker/code/pageworker_runner/browser/__pycache__"
    for bundle in bundles():
        assert os.statvfs(f"/proc/{driver}/root{inside}/{bundle.name}.cache").f_flag & os.ST_RDONLY
    browser = list(below(driver))
    assert browser
    assert not any(map(cache_variables, browser))


async def test_the_runner_lowers_its_own_data_size_and_no_other_limit() -> None:
    before = resource.getrlimit(resource.RLIMIT_DATA)
    try:
        limit_own_data(0)
        assert resource.getrlimit(resource.RLIMIT_DATA) == before
        limit_own_data(1 << 40)
        assert resource.getrlimit(resource.RLIMIT_DATA) == (1 << 40, before[1])
        limit_own_data(1 << 41)
        assert resource.getrlimit(resource.RLIMIT_DATA) == (1 << 40, before[1]), "it is never raised"
    finally:
        resource.setrlimit(resource.RLIMIT_DATA, before)


@BROWSERS
async def test_every_page_and_worker_is_online(browser: Path) -> None:
    runner = await Sandboxed(browser).start()
    try:
        runner.site.pages |= {
            "/p": SiteAnswer("<h1>p</h1>"),
            "/worker.js": SiteAnswer("postMessage(navigator.onLine)", content_type="text/javascript"),
        }
        module = handler("""
            heard = []
            def hear(word):
                heard.append(word)
            await page.context.expose_function("heard", hear)
            await page.add_init_script("addEventListener('offline', () => heard('offline'))")
            online = {"blank": await page.evaluate("navigator.onLine")}
            rtt = await page.evaluate("navigator.connection.rtt")
            await page.goto("http://shop.example/p")
            online["page"] = await page.evaluate("navigator.onLine")
            async with page.expect_popup() as opened:
                await page.evaluate("void window.open('/p?popup')")
            online["popup"] = await (await opened.value).evaluate("navigator.onLine")
            async with page.context.expect_page() as opened:
                await page.evaluate("void window.open('http://other.example/p', '_blank', 'noopener')")
            online["page of another process"] = await (await opened.value).evaluate("navigator.onLine")
            online["worker"] = await page.evaluate(
                "new Promise(done => { new Worker('/worker.js').onmessage = event => done(event.data) })"
            )
            return {"online": online, "heard": heard, "rtt": rtt}
        """)
        data = (await runner.run(module)).data
        assert set(data["online"].values()) == {True}, data
        assert data["heard"] == []
        # Later it is what the browser measures. The headless shell measures nothing, in a sandbox or without.
        assert (data["rtt"] > 0) == (browser == CHROMIUM)
    finally:
        await runner.close()
