"""What a real page does, in the spans and the log of its attempt."""

import pytest
from pw_runner.bundles import handler
from pw_runner.site import SiteAnswer
from pw_runner.supervisor import HEADLESS_SHELL, Supervisor

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]
PAGE = """<script>
console.log("quiet"); console.error("loud", 7);
setTimeout(() => { window.seen = true; throw new Error("boom") }, 0)
</script>"""
VISIT = handler(
    """with helpers.span("look", shop="north"):
    await page.goto("http://shop.example/page?token=abc")
await page.wait_for_function("window.seen", timeout=5000)
return {}"""
)


async def test_navigations_and_blocks_are_spans_and_the_console_is_logged() -> None:
    runner = await Supervisor(HEADLESS_SHELL, pages=1, browser_log="error").start()
    try:
        runner.site.pages["/page"] = SiteAnswer(PAGE)
        report = await runner.run(VISIT, spans=True)
        assert report.data == {}
        assert report.spans is not None
        look, navigation = report.spans.spans
        assert (look.name, look.parent, look.attributes) == ("look", None, {"shop": "north"})
        assert (navigation.name, navigation.parent, navigation.error) == ("navigate", 0, None)
        assert navigation.attributes == {"url.scheme": "http", "server.address": "shop.example"}
        assert report.order.index("Accepted") < report.order.index("Spans") < report.order.index("Done")
        lines = [(line.level, line.message, line.fields["kind"]) for line in report.logs if line.source == "browser"]
        assert ("error", "loud 7", "console.error") in lines
        assert [kind for _, text, kind in lines if "boom" in text] == ["uncaught"]
        assert not [text for _, text, _ in lines if text == "quiet"]
        again = await runner.run(VISIT)
        assert again.spans is None
    finally:
        await runner.close()
