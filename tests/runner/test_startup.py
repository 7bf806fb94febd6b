"""The runner under the real launcher: it comes up confined, works, and ends cleanly."""

from pathlib import Path

import pytest
from pw_runner.bundles import handler
from pw_runner.sandboxed import Sandboxed
from pw_runner.site import SiteAnswer
from pw_runner.supervisor import CHROMIUM, HEADLESS_SHELL

from pageworker_runner.exit_codes import RunnerExit

pytestmark = [pytest.mark.browser, pytest.mark.sandbox, pytest.mark.asyncio(loop_scope="module")]


@pytest.mark.parametrize("browser", [CHROMIUM, HEADLESS_SHELL], ids=lambda path: path.name)
async def test_it_comes_up_confined_and_works(browser: Path) -> None:
    runner = await Sandboxed(browser).start()
    try:
        assert runner.ready is not None
        said = runner.ready.evidence["chromium_sandbox"]
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
            return {"title": await page.inner_text("h1"), "refused": len(refused)}
        """)
        report = await runner.run(module)
        assert report.data == {"title": "Chair", "refused": 6}
        assert report.artifacts[0][1].startswith(b"\x89PNG")
        assert {request.host for request in runner.site.seen} == {"shop.example"}
        # None of the browser's own pages was taken for a popup.
        assert runner.logs == []
        assert await runner.stop() == RunnerExit.STOPPED
    finally:
        await runner.close()
