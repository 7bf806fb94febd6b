"""Each way an attempt can end, over the wire, in a real browser."""

import pytest
from pw_runner.bundles import handler, pack
from pw_runner.site import SiteAnswer
from pw_runner.supervisor import Supervisor

from pageworker_sandbox.egress.errors import TargetUnreachable
from pageworker_sandbox.wire.messages import MAX_DATA_BYTES

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]


THREAD = """
loop = asyncio.get_running_loop()
def work():
    return asyncio.run_coroutine_threadsafe(page.title(), loop).result()
assert await asyncio.to_thread(work) == ""
assert await loop.run_in_executor(None, work) == ""
import contextvars
await loop.run_in_executor(None, contextvars.Context().run, work)
"""
EXITS_BY_FIELD = """
class Exit(RetryLater):
    @property
    def type(self):
        raise SystemExit
    @type.setter
    def type(self, _):
        pass
raise Exit
"""
EXITS_BY_ZONE = """
import datetime
class Zone(datetime.tzinfo):
    def utcoffset(self, _):
        raise SystemExit
return {'at': datetime.datetime(2026, 1, 1, tzinfo=Zone())}
"""


async def test_a_result_comes_back(runner: Supervisor) -> None:
    runner.site.pages["/p"] = SiteAnswer("<h1>Blue chair</h1>")
    module = handler("""
        await page.goto("http://shop.example/p")
        return {"title": await page.inner_text("h1"), "given": payload, "attempt": context.attempt,
                "job": context.job_id, "time": context.remaining_seconds() > 5}
    """)
    report = await runner.run(module, {"n": 1})
    assert report.data == {"title": "Blue chair", "given": {"n": 1}, "attempt": 1, "job": "j", "time": True}
    assert report.order == ["Accepted", "Done", "Free"]


async def test_hooks_run_in_order_and_after_job_sees_the_result(runner: Supervisor) -> None:
    module = handler(
        "page.marks.append('handler')\nreturn {'marks': page.marks}",
        before="""
        async def before_job(page, payload, helpers, context):
            page.marks = ["before"]

        async def after_job(page, result, helpers, context):
            page.marks.append("after")
        """,
    )
    assert (await runner.run(module)).data == {"marks": ["before", "handler", "after"]}


@pytest.mark.parametrize(
    ("body", "type", "retryable"),
    [
        ("raise Failed('sold out', type='sold_out')", "sold_out", False),
        ("raise Failed('x', type='Not A Type!')", "module_failure", False),
        ("raise RetryLater('busy', delay_seconds=30)", "retry_later", True),
        ("raise RetryLater('busy', delay_seconds=86_401)", "handler_error", False),
        ("raise Failed(404, type='gone\\n')", "module_failure", False),
        ("raise Failed('x', type=None)", "module_failure", False),
        ("class Sold:\n    __str__ = lambda self: 'sold_out'\nraise Failed('x', type=Sold())", "sold_out", False),
        (
            "class Soon(RetryLater):\n    delay_seconds = property(lambda self: 'soon', lambda self, _: 0)\nraise Soon",
            "handler_error",
            False,
        ),
        ("class Bare(Failed):\n    def __init__(self): pass\nraise Bare", "handler_error", False),
        ("class Mute(Exception):\n    def __str__(self): return 1 / 0\nraise Mute", "handler_error", False),
        ("class Exit(Exception):\n    def __str__(self): raise SystemExit\nraise Exit", "handler_error", False),
        (EXITS_BY_FIELD, "handler_error", False),
        (EXITS_BY_ZONE, "result_invalid", False),
        ("return [1]", "result_invalid", False),
        ("return {'page': page}", "result_invalid", False),
        (f"return {{'x': 'a' * {MAX_DATA_BYTES + 1}}}", "result_too_large", False),
        ("raise SystemExit(3)", "handler_error", False),
        ("raise asyncio.CancelledError", "handler_error", False),
        ("return {'x': 1 / 0}", "handler_error", False),
        ("await page.wait_for_selector('#never', timeout=50)", "timeout", True),
        ("await page.goto('http://shop.example/', timeout=5000)\nraise Failed('there')", "module_failure", False),
        ("await page.goto('https://shop.example/')", "egress_refused", False),
        ("await page.goto('http://shop.example/down')", "navigation_error", True),
        ("await page.close()\nawait page.title()", "page_closed", True),
        ("await page.context.close()\nawait page.title()", "page_closed", True),
        ("await page.context.browser.new_context()", "refused", False),
        (THREAD, "refused", False),
        ("await helpers.artifact('BAD KIND', 'x')", "handler_error", False),
        ("await helpers.artifact('invoice\\n', 'x')", "handler_error", False),
        ("await helpers.artifact('invoice', 'x', 'text/plain\\n')", "handler_error", False),
        ("await helpers.extract({'title': 'h1'}, required=['titel'])", "handler_error", False),
        ("await helpers.which({})", "handler_error", False),
        ("await helpers.wait_until()", "handler_error", False),
        ("await helpers.extract({'title': 'h9'}, required=['title'])", "field_missing", True),
    ],
)
async def test_a_failure_has_a_type_and_is_retryable_or_not(
    runner: Supervisor, body: str, type: str, retryable: bool
) -> None:
    runner.site.pages["/down"] = SiteAnswer(fails=TargetUnreachable("connection_refused"))
    report = await runner.run(handler(body, name="fails", version=f"1.0.{abs(hash(body)) % 10**6}"))
    assert report.done is not None
    assert report.done.outcome == "failed"
    assert (report.failure.type, report.failure.retryable) == (type, retryable)


MOVING = "<title>moving</title><script>setTimeout(() => location.href = '%s')</script>"


async def test_reading_helpers_follow_a_page_that_goes_elsewhere_by_itself(runner: Supervisor) -> None:
    for step in range(20):
        runner.site.pages[f"/step{step}"] = SiteAnswer(MOVING % f"/step{step + 1}")
    runner.site.pages["/step20"] = SiteAnswer("<title>landed</title>")
    module = handler("""
        await page.goto("http://shop.example/step0")
        while (found := await helpers.extract({"title": "title"})) != {"title": "landed"}:
            await helpers.html()
        return found
    """)
    report = await runner.run(module)
    assert report.data == {"title": "landed"}


async def test_a_call_that_the_pages_own_navigation_interrupts_is_retried(runner: Supervisor) -> None:
    for step in range(20):
        runner.site.pages[f"/moving{step}"] = SiteAnswer(MOVING % f"/moving{step + 1}")
    runner.site.pages["/moving20"] = SiteAnswer("<title>still</title>")
    module = handler("""
        await page.goto("http://shop.example/moving0", wait_until="commit")
        while True:
            await page.evaluate("new Promise(done => setTimeout(done, 1000))")
    """)
    report = await runner.run(module)
    assert (report.failure.type, report.failure.retryable) == ("navigation_error", True)
    assert report.failure.message.startswith("The page went elsewhere by itself while the handler used it: ")


async def test_a_module_can_ask_for_a_later_attempt(runner: Supervisor) -> None:
    report = await runner.run(handler("raise RetryLater('busy', delay_seconds=30)", name="later"))
    assert report.failure.retry_after_seconds == 30


async def test_a_blocker_is_an_outcome_of_its_own(runner: Supervisor) -> None:
    runner.site.pages["/guarded"] = SiteAnswer("Are you human?")
    module = handler(
        "await page.goto('http://x.example/guarded?from=1')\nhelpers.blocked('captcha', 'acme', title='Are you human?')"
    )
    report = await runner.run(module)
    assert report.done is not None
    assert report.done.outcome == "blocked"
    assert report.done.obstacle is not None
    assert (report.done.obstacle.kind, report.done.obstacle.provider) == ("captcha", "acme")
    assert report.done.obstacle.evidence == {"title": "Are you human?"}
    assert report.done.obstacle.url == "http://x.example/guarded?from=1"


async def test_a_trace_names_only_files_of_the_module(runner: Supervisor) -> None:
    files = {
        "shop/__init__.py": "from shop.parse import price\n\nasync def handler(page, payload, helpers, context):\n"
        "    return price()\n",
        "shop/parse.py": "def price():\n    return open('/etc/no-such-file/x').read()\n",
    }
    report = await runner.run(pack(files, name="traced", entrypoint="shop:handler"))
    assert report.detail["trace"] == ["shop/__init__.py:4 in handler", "shop/parse.py:2 in price"]
    assert report.failure.message.endswith("(shop/parse.py:2 in price)")
    for path in ("/etc", "/usr", "/home", "site-packages"):
        assert path not in f"{report.failure.message}{report.detail}"


@pytest.mark.parametrize(
    ("files", "entrypoint", "said"),
    [
        ({"a.py": "import nothing_like_it"}, "a:handler", "nothing_like_it"),
        ({"a.py": "def handler(:"}, "a:handler", "a.py:1"),
        ({"a.py": "raise SystemExit(1)"}, "a:handler", "SystemExit"),
        ({"a.py": "def __getattr__(name): raise SystemExit"}, "a:handler", "SystemExit"),
        ({"a.py": "def handler(page): ..."}, "a:handler", "async def"),
        ({"a.py": ""}, "a:handler", "no 'handler'"),
        ({"a.py": ""}, "b:handler", "b cannot be imported"),
        ({"a.py": ""}, "nonsense", "package:function"),
    ],
)
async def test_a_broken_module_is_the_modules_fault(
    runner: Supervisor, files: dict[str, str | bytes], entrypoint: str, said: str
) -> None:
    report = await runner.run(
        pack(files, name="broken", version=f"1.0.{abs(hash(str(files) + entrypoint)) % 10**6}", entrypoint=entrypoint)
    )
    assert report.order == ["Done", "Free"]
    assert (report.failure.type, report.failure.retryable) == ("module_broken", False)
    assert said in report.failure.message


async def test_bytes_that_are_not_the_announced_ones_are_not_imported(runner: Supervisor) -> None:
    module = handler("return {}", name="swapped")
    await runner.give(module, sha256="0" * 64)
    runner._sent.add((module.name, module.version, module.sha256))
    assert "announced" in (await runner.run(module)).failure.message


@pytest.mark.parametrize(
    ("sets", "expected_ms"),
    [
        ("", 12_000),
        ("page.context.set_default_timeout(41)", 41),
        ("page.context.set_default_navigation_timeout(42)", 42),
        ("page.set_default_timeout(43)\npage.context.set_default_navigation_timeout(1)", 43),
        ("page.context.set_default_timeout(1)\npage.set_default_navigation_timeout(44)", 44),
    ],
)
async def test_a_timeout_that_a_module_sets_goes_over_the_runners(
    runner: Supervisor, sets: str, expected_ms: int
) -> None:
    """The runner's is a share of the attempt's time. The nearest one counts, as in plain Playwright."""
    runner.site.pages["/held"] = SiteAnswer(held=True)
    body = (
        f"{sets}\nsettings = page._impl_obj._timeout_settings\nms = settings.navigation_timeout(None)\n"
        "if ms < 100:\n"
        "    try:\n        await page.goto('http://shop.example/held')\n"
        "    except PageTimeout as error:\n        assert f'Timeout {ms}ms exceeded' in str(error)\n"
        "return {'ms': ms}"
    )
    module = handler(body, name="timeouts", version=f"1.0.{expected_ms}")
    found = (await runner.run(module, timeout_seconds=20)).data["ms"]
    assert expected_ms * 0.8 <= found <= 18_000 if not sets else found == expected_ms


async def test_a_wrong_log_call_is_reported_and_an_exception_is_logged_with_its_traceback(runner: Supervisor) -> None:
    module = handler(
        """
        import logging
        logging.warning("%d offers", "many")
        try:
            1 / 0
        except ZeroDivisionError:
            logging.exception("no price")
        return {}
        """,
        name="logs",
    )
    report = await runner.run(module)
    assert report.data == {}
    assert any("Logging error" in log.message for log in report.logs)
    (traced,) = [log.message for log in report.logs if log.level == "error"]
    assert traced.startswith("no price\nTraceback")
    assert "ZeroDivisionError" in traced


async def test_printed_and_logged_lines_belong_to_their_attempt_and_are_bounded(runner: Supervisor) -> None:
    module = handler(
        """
        import logging, sys
        print("printed\\ud800")
        print("no end", end="")
        logging.getLogger("shop").warning("logged")
        helpers.log.info("report", count=3)
        print("to stderr", file=sys.stderr)
        for n in range(3000):
            print(n)
        return {}
        """,
        name="chatty",
    )
    report = await runner.run(module)
    lines = [(log.level, log.message) for log in report.logs]
    assert lines[0] == ("info", "printed\ufffd")
    assert ("warning", "logged") in lines
    assert ("info", "report") in lines
    assert ("warning", "to stderr") in lines
    assert lines[-1] == ("warning", "more lines were left out: an attempt logs at most 2000")
    assert len(lines) == 2001


async def test_what_a_module_sets_while_it_is_imported_counts_for_each_of_its_attempts_and_no_other(
    runner: Supervisor,
) -> None:
    looks = """
        found = {"digits": getcontext().prec, "expect": expect._timeout}
        getcontext().prec = 7
        expect.set_options(timeout=1)
        return found
    """
    imports = "from decimal import getcontext\nfrom playwright.async_api import expect\n"
    sets = imports + "getcontext().prec = 50\nexpect.set_options(timeout=9000)\n"
    module, other = handler(looks, name="sets", before=sets), handler(looks, name="other", before=imports)
    for _ in range(2):
        assert (await runner.run(module)).data == {"digits": 50, "expect": 9000}
        assert (await runner.run(other)).data == {"digits": 28, "expect": None}


async def test_a_job_has_the_list_of_devices_and_its_own_attribute_of_test_ids(runner: Supervisor) -> None:
    body = """
        from pageworker import devices
        await page.set_content("<p data-qa=a>own</p><p data-testid=a>usual</p>")
        helpers.set_test_id_attribute("data-qa")
        text = await page.get_by_test_id("a").text_content()
        return {"text": text, "width": devices["iPhone 15"]["viewport"]["width"]}
    """
    assert (await runner.run(handler(body, name="test-ids"))).data == {"text": "own", "width": 393}
