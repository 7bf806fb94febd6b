"""Whatever the code of a job leaves in the interpreter, the next job of the runner does not find it.

Its page: tests/runner/pages/test_recycle.py. What a browser stores: tests/runner/pages/test_storage.py. Here as well:
what a browser keeps in other places.
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
import pytest_asyncio
from pw_runner.bundles import handler
from pw_runner.site import SiteAnswer
from pw_runner.supervisor import CHROMIUM, HEADLESS_SHELL, Supervisor

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]
Start = Callable[..., Awaitable[Supervisor]]

# The code of the first job, and an expression of the next one with the value that it must have.
SET_BACK: dict[str, tuple[str, str, object]] = {
    "environment": ("os.environ['LEFT'] = '1'", "'LEFT' in os.environ", False),
    "environment, deleted": ("del os.environ['PATH']", "'PATH' in os.environ", True),
    "time zone": ("os.environ['TZ'] = 'UTC-7'; time.tzset()", "time.timezone", 0),
    "working directory": ("os.chdir('/proc')", "os.getcwd()", "/"),
    "umask": ("os.umask(0)", "(mask := os.umask(0o77), os.umask(mask))[0] == 0", False),
    "locale": ("locale.setlocale(locale.LC_ALL, 'C')", "locale.setlocale(locale.LC_ALL) == 'C'", False),
    "signal handler": ("signal.signal(signal.SIGUSR1, print)", "signal.getsignal(signal.SIGUSR1)", 0),
    "alarm": ("signal.alarm(600)", "signal.getitimer(signal.ITIMER_REAL)[0]", 0),
    "limit of open files": (
        "resource.setrlimit(resource.RLIMIT_NOFILE, (64, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))",
        "resource.getrlimit(resource.RLIMIT_NOFILE)[0] > 64",
        True,
    ),
    "warnings": ("warnings.simplefilter('error')", "any(each[0] == 'error' for each in warnings.filters)", False),
    "how warnings are shown": ("warnings.showwarning = print", "warnings.showwarning is print", False),
    "level of logging": ("logging.getLogger().setLevel(50)", "logging.getLogger().level", 20),
    "handlers of logging": ("logging.getLogger().handlers.clear()", "len(logging.getLogger().handlers)", 1),
    "a logger's level": ("logging.getLogger('asyncio').setLevel(50)", "logging.getLogger('asyncio').level", 0),
    "logging switched off": ("logging.disable()", "logging.root.manager.disable", 0),
    "random numbers": (
        "random.seed(1)\nrandom.random()",
        "random.random() == 0.763774618976614",
        False,
    ),
    "decimal": ("decimal.getcontext().prec = 3", "decimal.getcontext().prec", 28),
    "decimal's default": ("decimal.DefaultContext.prec = 3", "decimal.DefaultContext.prec", 28),
    "timeout of sockets": ("socket.setdefaulttimeout(0.001)", "socket.getdefaulttimeout()", None),
    "import path": ("sys.path.insert(0, '/left')", "'/left' in sys.path", False),
    "importers": ("sys.meta_path.insert(0, object())", "type(sys.meta_path[0]) is object", False),
    "a module that is none": ("sys.modules['left'] = sys", "'left' in sys.modules", False),
    "a module in place of another": ("sys.modules['json'] = sys", "sys.modules['json'] is sys", False),
    "a module that is gone": ("del sys.modules['json']", "'json' in sys.modules", True),
    "recursion limit": ("sys.setrecursionlimit(200)", "sys.getrecursionlimit() > 200", True),
    "switch interval": ("sys.setswitchinterval(10)", "sys.getswitchinterval() < 1", True),
    "digits of numbers": ("sys.set_int_max_str_digits(640)", "sys.get_int_max_str_digits()", 4300),
    "trace function": ("sys.settrace(lambda *_: None)", "sys.gettrace()", None),
    "profile function": ("sys.setprofile(lambda *_: None)", "sys.getprofile()", None),
    "trace function of threads": ("threading.settrace(print)", "threading.gettrace()", None),
    "excepthook": ("sys.excepthook = print", "sys.excepthook is print", False),
    "excepthook of threads": ("threading.excepthook = print", "threading.excepthook is print", False),
    "stdout": ("sys.stdout = None", "sys.stdout is None", False),
    "arguments": ("sys.argv.append('left')", "'left' in sys.argv", False),
    "garbage collection": ("gc.disable()", "gc.isenabled()", True),
    "thresholds of it": ("gc.set_threshold(0)", "gc.get_threshold()[0] > 0", True),
    "callbacks of it": ("gc.callbacks.append(print)", "print in gc.callbacks", False),
    "memory tracing": ("tracemalloc.start()", "tracemalloc.is_tracing()", False),
    "media types": ("mimetypes.add_type('text/left', '.png')", "mimetypes.guess_type('x.png')[0]", "image/png"),
    "asyncio's policy": (
        "class Left(asyncio.DefaultEventLoopPolicy):\n    pass\nasyncio.set_event_loop_policy(Left())",
        "type(asyncio.get_event_loop_policy()).__name__",
        "_UnixDefaultEventLoopPolicy",
    ),
    "exception handler of the loop": (
        "asyncio.get_running_loop().set_exception_handler(print)",
        "asyncio.get_running_loop().get_exception_handler()",
        None,
    ),
    "debug mode of the loop": (
        "asyncio.get_running_loop().set_debug(True)",
        "asyncio.get_running_loop().get_debug()",
        False,
    ),
    "task factory of the loop": (
        "asyncio.get_running_loop().set_task_factory(None)",
        "asyncio.get_running_loop().get_task_factory() is None",
        False,
    ),
    "executor of the loop": (
        (
            "from concurrent.futures import ThreadPoolExecutor\n"
            "pool = ThreadPoolExecutor(1)\npool.shutdown()\nasyncio.get_running_loop().set_default_executor(pool)"
        ),
        "await asyncio.to_thread(int, '7')",
        7,
    ),
    "function of a module": (
        "locale.currency = time.sleep = None",
        "locale.currency is None or time.sleep is None",
        False,
    ),
    "builtin": (
        "import builtins\nbuiltins.left = 1\nbuiltins.sorted = None",
        "len(__import__('builtins').sorted([1]))",
        1,
    ),
    "method of a class": ("type(page).goto = None", "type(page).goto is None", False),
    "method of the SDK": ("type(helpers).html = None", "type(helpers).html is None", False),
    "attribute of a class": ("threading.Thread.left = 1", "hasattr(threading.Thread, 'left')", False),
    "pool at rest": ("await asyncio.gather(*(asyncio.to_thread(time.sleep, 0.01) for _ in range(20)))", "1", 1),
    "thread that ends": ("threading.Timer(0.1, print).start()", "1", 1),
    "contextvar": ("import contextvars\nLEFT.set('left')", "LEFT.get('none')", "none"),
}
# The runner is replaced before another job gets it. The text is in its reason.
RETIRED: dict[str, tuple[str, str, str]] = {
    "threads that sleep": (
        "for _ in range(200):\n    threading.Thread(target=time.sleep, args=(600,), daemon=True).start()",
        "threads",
        "left 200 threads running: Thread-",
    ),
    "threads that compute": (
        (
            "def spin():\n    while True:\n        pass\n"
            "for _ in range(20):\n    threading.Thread(target=spin, daemon=True).start()"
        ),
        "threads",
        "left 20 threads running: Thread-",
    ),
    "a raw thread": ("import _thread\n_thread.start_new_thread(time.sleep, (600,))", "threads", "a thread of sleep"),
    "a call of asyncio.to_thread": (
        "asyncio.ensure_future(asyncio.to_thread(time.sleep, 600))\nawait asyncio.sleep(0.1)",
        "threads",
        "left 1 threads running: a call of sleep in a pool",
    ),
    "a pool that is shut down": (
        "await asyncio.get_running_loop().shutdown_default_executor()",
        "state",
        "the loop's default executor",
    ),
    "a hard limit": ("resource.setrlimit(resource.RLIMIT_NOFILE, (512, 512))", "state", "the process's limits"),
    "priority": ("os.nice(1)", "state", "the process's priority"),
}
IMPORTS = (
    "import asyncio, contextvars, decimal, gc, json, locale, logging, mimetypes, os, random, resource, signal, socket\n"
    "import sys, threading, time, tracemalloc, warnings\n"
    "LEFT = contextvars.ContextVar('left')\n"
)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def runner() -> AsyncIterator[Supervisor]:
    """One page, so that no other job runs."""
    supervisor = await Supervisor(pages=1).start()
    yield supervisor
    await supervisor.close()


@pytest.mark.parametrize("name", SET_BACK)
async def test_it_is_set_back(runner: Supervisor, name: str) -> None:
    code, expression, clean = SET_BACK[name]
    version = f"1.0.{list(SET_BACK).index(name)}"
    module = handler(
        f"if payload['leave']:\n    {code.replace(chr(10), chr(10) + '    ')}\nreturn {{'seen': {expression}}}",
        name="leaves",
        version=version,
        before=IMPORTS,
    )
    await runner.run(module, {"leave": True})
    assert (await runner.run(module, {"leave": False})).data == {"seen": clean}
    assert runner.retired == []


@pytest.mark.parametrize("name", RETIRED)
async def test_the_runner_is_replaced(start: Start, name: str) -> None:
    code, cause, reason = RETIRED[name]
    runner = await start(pages=1)
    report = await runner.run(handler(code + "\nreturn {'done': 1}", before=IMPORTS))
    assert report.data == {"done": 1}
    assert runner.retire_causes == [cause]
    assert reason in runner.retired[0]


async def test_the_request_for_a_replacement_comes_before_the_result(start: Start) -> None:
    runner = await start(pages=2)
    attempt = await runner.begin(
        handler("threading.Thread(target=time.sleep, args=(600,), daemon=True).start()\nreturn {}", before=IMPORTS)
    )
    await runner.done(attempt)
    assert runner.retire_causes == ["threads"]


async def test_threads_that_compute_are_ended_for_the_job_beside_them(start: Start) -> None:
    runner = await start(pages=2)
    waits = """
        def spinning():
            return any(each.name == "spins" for each in threading.enumerate())
        while not spinning():
            await asyncio.sleep(0.05)
        while spinning():
            await asyncio.sleep(0.05)
        return {"title": await page.title()}
    """
    other = await runner.begin(handler(waits, name="other", before=IMPORTS), timeout_seconds=60)
    await runner.accepted(other)
    spins = """
        def spin():
            while True:
                pass
        for _ in range(5):
            threading.Thread(target=spin, name="spins", daemon=True).start()
        return {}
    """
    await runner.run(handler(spins, before=IMPORTS))
    await runner.until(lambda: other in runner.freed, 70)
    assert runner.reports[other].data == {"title": ""}


async def test_what_an_import_sets_counts_for_each_job_of_its_module_alone(runner: Supervisor) -> None:
    sees = (
        "return {'limit': sys.getrecursionlimit(), 'env': os.environ.get('LEFT'), 'goto': hasattr(type(page), 'left')}"
    )
    sets = (
        "sys.setrecursionlimit(4321)\nos.environ['LEFT'] = '1'\nfrom playwright.async_api import Page\nPage.left = 1\n"
    )
    setter = handler(sees, name="setter", before=IMPORTS + sets)
    other = handler(sees, name="other", version="2.0.0", before=IMPORTS)
    its, none = {"limit": 4321, "env": "1", "goto": True}, {"limit": 1000, "env": None, "goto": False}
    for module, expected in ((setter, its), (other, none), (setter, its), (other, none)):
        assert (await runner.run(module)).data == expected
    assert runner.retired == []


async def test_a_change_beside_another_job_replaces_the_runner(start: Start) -> None:
    runner = await start(pages=2)
    other = await runner.begin(handler("await asyncio.sleep(60)\nreturn {}", name="other"))
    await runner.accepted(other)
    sets_at_import = handler("return {}", name="setter", before=IMPORTS + "sys.setrecursionlimit(4321)\n")
    await runner.run(sets_at_import)
    assert runner.retired == []
    await runner.run(handler("os.environ['LEFT'] = '1'\nreturn {}", before=IMPORTS))
    assert runner.retire_causes == ["state"]
    assert "os.environ" in runner.retired[0]


WINDOW = "[screenX, screenY, outerWidth, outerHeight]"
MOVES = handler(
    f"""
    seen = await page.evaluate("{WINDOW}")
    await page.goto("http://shop.example/p")
    # The window follows later than its script goes on.
    await page.evaluate("resizeTo(500, 400)")
    await page.wait_for_function("outerWidth === 500")
    await page.evaluate("moveTo(33, 44)")
    await page.wait_for_function("screenX === 33")
    return {{"seen": seen}}
    """,
    name="moves",
)


async def test_the_window_is_where_it_was(start: Start) -> None:
    runner = await start(pages=1, browser=HEADLESS_SHELL)
    runner.site.pages["/p"] = SiteAnswer("<title>shop</title>")
    for _ in range(2):
        assert (await runner.run(MOVES)).data == {"seen": [0, 0, 1280, 720]}
    # Another page, not another runner.
    assert runner.retired == []


HINT = "sec-ch-ua-arch"
VISITS = handler(
    """
    for path in payload["paths"]:
        await page.goto("http://app.localhost" + path)
    return {}
    """,
    name="visits",
)


def asks_for_hints(runner: Supervisor) -> None:
    asks = ("Accept-CH: Sec-CH-UA-Arch",)
    runner.site.pages |= {
        "/p": SiteAnswer("<title>shop</title>"),
        "/asks": SiteAnswer("<title>asks</title>", headers=asks),
        "/asks-and-goes": SiteAnswer("", "302 Found", headers=(*asks, "Location: http://app.localhost/p")),
        "/opens": SiteAnswer("<script>open('/asks')</script>"),
    }


def sent_hints(runner: Supervisor) -> list[bool]:
    """Whether each request for /p had the hint."""
    return [HINT in each.headers for each in runner.site.requested("/p")]


@pytest.mark.parametrize("browser", [CHROMIUM, HEADLESS_SHELL], ids=lambda path: path.name)
async def test_a_site_gets_no_hints_that_it_asked_an_earlier_job_for(start: Start, browser: Path) -> None:
    runner = await start(pages=1, browser=browser, persistent=False)
    asks_for_hints(runner)
    await runner.run(VISITS, {"paths": ["/asks", "/p"]})
    await runner.run(VISITS, {"paths": ["/p"]})
    await runner.run(VISITS, {"paths": ["/asks-and-goes"]})
    await runner.run(VISITS, {"paths": ["/p"]})
    assert sent_hints(runner) == [True, False, True, False]
    # What makes the browser forget reaches no site.
    assert {each.path for each in runner.site.seen if each.host == "app.localhost"} <= {
        "/asks",
        "/p",
        "/asks-and-goes",
        "/favicon.ico",
    }
    assert runner.retired == []


async def test_hints_for_a_popup_are_forgotten_too(start: Start) -> None:
    runner = await start(pages=1, browser=HEADLESS_SHELL, persistent=False)
    asks_for_hints(runner)
    opens = handler(
        "async with page.expect_popup() as opened:\n"
        "    await page.goto('http://app.localhost/opens')\n"
        "await (await opened.value).wait_for_load_state()\n"
        "await page.goto('http://app.localhost/p')\nreturn {}",
        name="opens",
    )
    await runner.run(opens)
    await runner.run(VISITS, {"paths": ["/p"]})
    assert sent_hints(runner) == [True, False]


REGISTERS = handler(
    """
    await page.goto("http://app.localhost/asks")
    await page.evaluate("navigator.serviceWorker.register('/worker.js')")
    await page.evaluate("navigator.serviceWorker.ready.then(() => 1)")
    return {}
    """,
    name="registers",
)


async def test_a_service_worker_does_not_keep_hints(start: Start) -> None:
    """It answers navigations in place of the site, and of the runner."""
    runner = await start(pages=1, browser=HEADLESS_SHELL, persistent=False)
    asks_for_hints(runner)
    runner.site.pages["/worker.js"] = SiteAnswer(
        "oninstall = () => skipWaiting();\n"
        "onactivate = event => event.waitUntil(clients.claim());\n"
        "onfetch = event => event.respondWith(new Response('', {headers: {'Content-Type': 'text/html'}}));",
        content_type="text/javascript",
    )
    await runner.run(REGISTERS)
    await runner.run(VISITS, {"paths": ["/p"]})
    assert sent_hints(runner) == [False]
    assert runner.retired == []


async def test_a_profile_keeps_hints(start: Start) -> None:
    runner = await start(pages=1, browser=HEADLESS_SHELL, persistent=True)
    asks_for_hints(runner)
    await runner.run(VISITS, {"paths": ["/asks"]})
    await runner.run(VISITS, {"paths": ["/p"]})
    assert sent_hints(runner) == [True]


REQUESTS = handler(
    """
    await page.route("**/blocked", lambda route: route.abort())
    for path in payload["paths"]:
        try:
            await page.goto("http://shop.example" + path)
        except Exception:
            pass
    return {"requests": [each.url.rpartition("/")[2] for each in await page.requests()]}
    """,
    name="requests",
)


async def test_the_requests_of_an_earlier_job_are_forgotten(start: Start) -> None:
    runner = await start(pages=1, browser=HEADLESS_SHELL)
    runner.site.pages["/p"] = SiteAnswer("<title>shop</title>")
    # A failed one at the end and at the beginning: nothing but their order tells to which job they belong.
    for paths in (["/p", "/blocked"], ["/blocked", "/p"], []):
        assert (await runner.run(REQUESTS, {"paths": paths})).data == {
            "requests": [path.removeprefix("/") for path in paths]
        }
    # Another page would have none either.
    assert runner.retired == []
    assert not any("replaced" in log.message for log in runner.logs)
