"""Whatever a handler leaves on its page, the next job on that page does not see it."""

import asyncio
import textwrap
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
import pytest_asyncio
from pw_runner.bundles import handler
from pw_runner.site import Request, SiteAnswer
from pw_runner.supervisor import Supervisor

from pageworker_runner.pages.recycle import CLEANINGS_PER_COLLECTION, JOBS_PER_PAGE

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]

# What the next job finds. The runner has one page, so it is the same page or its replacement.
LOOK = handler(
    """
    await page.goto("http://shop.example/look")
    seen = await page.evaluate('''() => ({
        title: document.title, name: window.name, history: history.length, width: innerWidth,
        dark: matchMedia("(prefers-color-scheme: dark)").matches, print: matchMedia("print").matches,
        session: sessionStorage.length, own: typeof window.leftBehind, online: navigator.onLine,
        heard: window.heard ? "yes" : "no",
    })''')
    seen["permission"] = await page.evaluate(
        "navigator.permissions.query({name: 'geolocation'}).then(p => p.state)"
    )
    seen["hover"] = await page.evaluate("document.querySelectorAll(':hover').length")
    await page.evaluate('''() => { for (const type of ["mousedown", "mousemove", "keydown"])
        addEventListener(type, e => (window.events ??= []).push([type, e.clientX, e.movementX, e.shiftKey])) }''')
    await page.mouse.down()
    await page.mouse.up()
    await page.mouse.move(10, 20)
    await page.keyboard.press("a")
    seen["events"] = await page.evaluate("events")
    seen["set"] = [name for each in (page, page.mouse, page.main_frame, page.context, page.context.browser)
        for name in vars(each) if name not in ("_impl_obj", "_loop")]
    from playwright.async_api import expect
    seen["expect"] = expect._timeout
    seen["test id"] = str(page.get_by_test_id("x"))
    seen["pages"] = len(page.context.pages)
    seen["messages"] = len(await page.console_messages(filter="all"))
    await page.set_content("<input>")
    await page.focus("input")
    await page.keyboard.press("Control+V")
    seen["clipboard"] = await page.input_value("input")
    seen["guid"] = page._impl_obj._guid
    return seen
    """,
    name="look",
)
LOCATOR = "<Locator frame=<Frame name= url='http://shop.example/look'> selector='internal:testid=[data-testid=\"x\"s]'>"
CLEAN = {
    "title": "look",
    "name": "",
    "history": 2,
    "width": 1280,
    "dark": False,
    "print": False,
    "session": 0,
    "own": "undefined",
    "online": True,
    "heard": "no",
    "permission": "prompt",
    "hover": 0,
    "events": [["mousedown", 0, 0, False], ["mousemove", 10, 10, False], ["keydown", None, None, False]],
    "set": [],
    "expect": None,
    "test id": LOCATOR,
    "pages": 1,
    "messages": 0,
    "clipboard": "",
}
OPEN = "await page.goto('http://shop.example/p')\n"

# The page is cleaned, and is the same one afterwards.
CLEANED = {
    "nothing": "",
    "content": "await page.set_content('<title>left</title>')",
    "route": "await page.route('**/look', lambda route: route.fulfill(body='<title>left</title>'))",
    "context route": "await page.context.route('**/look', lambda route: route.fulfill(body='<title>left</title>'))",
    "init script": "await page.add_init_script('window.leftBehind = 1')",
    "context init script": "await page.context.add_init_script('window.leftBehind = 1')",
    "binding": "await page.expose_function('leftBehind', lambda: 1)",
    "context binding": "await page.context.expose_function('leftBehind', lambda: 1)",
    "viewport": "await page.set_viewport_size({'width': 300, 'height': 300})",
    "media": "await page.emulate_media(color_scheme='dark', media='print')",
    "headers": "await page.set_extra_http_headers({'x-left': '1'})",
    "context headers": "await page.context.set_extra_http_headers({'x-left': '1'})",
    "offline": "await page.context.set_offline(True)",
    "permissions": "await page.context.grant_permissions(['geolocation'])",
    "geolocation": "await page.context.set_geolocation({'latitude': 1, 'longitude': 1})",
    "window name": OPEN + "await page.evaluate(\"window.name = 'left'\")",
    "session storage": OPEN + "await page.evaluate(\"sessionStorage.setItem('left', '1')\")",
    "history": OPEN + "await page.goto('http://shop.example/p?2')\nawait page.goto('http://shop.example/p?3')",
    "console": OPEN + "await page.evaluate(\"console.log('left')\")",
    "popup": OPEN + "await page.evaluate(\"window.open('/p?popup')\")",
    "popup of a popup": OPEN + "async with page.expect_popup() as opened:\n"
    "    await page.evaluate(\"window.open('/p?popup')\")\n"
    "await (await opened.value).evaluate(\"window.open('/p?second')\")",
    "popup without opener": OPEN + "await page.evaluate(\"window.open('/p?popup', '_blank', 'noopener')\")",
    "own page": "await page.context.new_page()",
    "beforeunload trap": OPEN + "await page.mouse.click(5, 5)\n"
    "await page.evaluate(\"addEventListener('beforeunload', event => { event.preventDefault(); return 'no' })\")",
    "confirm without listener": OPEN + "await page.evaluate(\"setTimeout(() => confirm('left'), 0)\")",
    "interval": OPEN + "await page.evaluate('setInterval(() => { window.leftBehind = 1 }, 1)')",
    "worker": OPEN + "await page.evaluate(\"new Worker('data:text/javascript,setInterval(() => 1, 1)') && 1\")",
    "clipboard": "await page.set_content('<input value=left>')\nawait page.focus('input')\n"
    "await page.keyboard.press('Control+A')\nawait page.keyboard.press('Control+C')",
    "failed navigation": "try:\n    await page.goto('https://shop.example/')\nexcept Exception:\n    pass",
    "navigation under way": "await page.evaluate(\"location.href = 'http://shop.example/held'\")",
    "download": OPEN + "await page.evaluate(\"location.href = '/file'\")",
    "timeouts": "page.set_default_timeout(1)\npage.set_default_navigation_timeout(1)",
    "context timeouts": "page.context.set_default_timeout(1)\npage.context.set_default_navigation_timeout(1)",
    "listener": "page.on('framenavigated', lambda frame: print('heard'))",
    "context listener": "page.context.on('response', lambda response: print('heard'))",
    "pointer": OPEN + "await page.mouse.move(60, 60)\nawait page.mouse.move(70, 70)",
    "pointer of a click": OPEN + "await page.click('h1')",
    "pointer of a handle": OPEN + "await (await page.query_selector('h1')).hover()",
    "attributes": "page.goto = None\npage.left = page.main_frame.left = page.mouse.left = 1\n"
    "page.context.new_page = page.context.browser.left = 1",
    "a method of its own": "goto = page.goto\nasync def my_goto(url):\n    await goto(url)\n    print('heard')\n"
    "page.goto = my_goto\n" + OPEN,
    "screenshot of its own": "page.screenshot = page.close = page.evaluate = None\nraise ValueError",
    "methods of popups": OPEN + "popup = await page.context.new_page()\npopup.close = None",
    "listener of the browser": "page.context.browser.on('disconnected', lambda browser: print('heard'))",
    "expect": "from playwright.async_api import expect\nexpect.set_options(timeout=1)",
    "attribute of test ids": "helpers.set_test_id_attribute('id')",
    "attribute of test ids by the client": "page.context.browser._impl_obj._browser_type._playwright.selectors"
    ".set_test_id_attribute('id')",
    "listener at work": "done = asyncio.Event()\n"
    "async def work(page):\n"
    "    await page.set_extra_http_headers({'x-left': '1'})\n"
    "    await page.context.add_init_script('window.leftBehind = 1')\n"
    "    done.set()\n"
    "page.on('domcontentloaded', work)\n" + OPEN + "await done.wait()",
    "route handler at work": "async def work(route):\n"
    "    await page.set_extra_http_headers({'x-left': '1'})\n"
    "    await route.continue_()\n"
    "await page.route('**/data', work)\n" + OPEN + "await page.evaluate(\"fetch('/data').then(answer => 1)\")",
    "listener that goes on": "async def work(page):\n"
    "    while True:\n"
    "        await asyncio.sleep(0.01)\n"
    "        print('heard')\n"
    "page.on('domcontentloaded', work)\n" + OPEN,
}
# The page can not be cleaned, and is another one afterwards.
REPLACED = {
    "web socket route": "await page.route_web_socket('**', lambda socket: None)",
    "devtools": "await (await page.context.new_cdp_session(page)).send('Emulation.setDeviceMetricsOverride',"
    " {'width': 200, 'height': 200, 'deviceScaleFactor': 1, 'mobile': False})",
    "key held": "await page.keyboard.down('Shift')",
    "button held": "await page.mouse.down()",
    "session storage of a page before": OPEN
    + "await page.evaluate(\"sessionStorage.setItem('left', '1')\")\nawait page.goto('http://other.example/p')",
    "dialog": OPEN + "page.on('dialog', lambda dialog: None)\n"
    "await page.evaluate(\"setTimeout(() => alert('left'), 0)\")\n"
    "await page.wait_for_event('dialog')",
    "busy loop": OPEN + "await page.evaluate('setTimeout(() => { while (true); }, 0)')",
    "busy unload": OPEN + "await page.evaluate(\"addEventListener('pagehide', () => { while (true); })\")",
    "closed page": "await page.close()",
    "crashed page": "await (await page.context.new_cdp_session(page)).send('Page.crash')",
    "init script of unknown fate": "async def work(route):\n"
    "    await page.add_init_script('window.leftBehind = 1')\n"
    "await page.route('**/p', work)\n"
    # Caught: for the artifacts of a failed attempt the loading is stopped, and the reply comes.
    "try:\n    await page.goto('http://shop.example/p', timeout=500)\nexcept PageTimeout:\n    pass",
    "aborted key": OPEN + "task = asyncio.ensure_future(page.keyboard.press('Shift', delay=60000))\n"
    "await page.wait_for_function('true')\nawait asyncio.sleep(0.2)\ntask.cancel()",
    "aborted click": OPEN + "task = asyncio.ensure_future(page.click('h1', delay=60000))\n"
    "await asyncio.sleep(0.5)\ntask.cancel()",
    "unknown state of the client": "page._impl_obj.left = 1",
    "locator handler": OPEN + "await page.add_locator_handler(page.locator('h1'), lambda: None)",
}
DIRT = CLEANED | REPLACED


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def runner() -> AsyncIterator[Supervisor]:
    """One page, so that the next job gets the same one; a persistent context, whose state is not wiped."""
    supervisor = await Supervisor(pages=1, recycle_seconds=3).start()
    yield supervisor
    await supervisor.close()


@pytest.mark.parametrize("dirt", DIRT)
async def test_the_next_job_sees_nothing_of_it(runner: Supervisor, dirt: str) -> None:
    if list(DIRT).index(dirt) % (JOBS_PER_PAGE // 4) == 0:
        # The page of three more jobs for each of the next ones must not be replaced because of their number.
        await runner.run(handler("await page.close()", name="closes"))
    asked: list[Request] = []

    def look(request: Request) -> SiteAnswer:
        asked.append(request)
        return SiteAnswer("<title>look</title><h1>look</h1>")

    runner.site.pages |= {
        "/look": look,
        "/p": SiteAnswer("<title>p</title><h1>p</h1>"),
        "/held": SiteAnswer(held=True),
        "/file": SiteAnswer(
            "x", headers=("Content-Disposition: attachment; filename=x.txt",), content_type="text/plain"
        ),
    }
    version = f"1.0.{list(DIRT).index(dirt)}"
    before = (await runner.run(LOOK)).data
    await runner.run(handler(DIRT[dirt] + "\nreturn {}", name="dirty", version=version))
    report = await runner.run(LOOK)
    after = report.data
    assert (before.pop("guid") == after.pop("guid")) == (dirt in CLEANED)
    assert before == after == CLEAN
    assert "x-left" not in asked[-1].headers
    assert "heard" not in [log.message for log in (*report.logs, *runner.logs)]
    # Hung pages count against the browser, but they are fewer than would retire it.
    assert runner.retired == []


async def test_a_download_does_not_go_on_after_its_job(runner: Supervisor) -> None:
    runner.site.pages |= {
        "/p": SiteAnswer("<h1>p</h1>"),
        "/file": SiteAnswer("x", headers=("Content-Disposition: attachment; filename=x.txt",), unfinished=True),
    }
    asks = """
        async with page.expect_download() as waiting:
            await page.evaluate("location.href = '/file'")
        return {"name": (await waiting.value).suggested_filename}
    """
    report = await runner.run(handler(OPEN + textwrap.dedent(asks), name="downloads"))
    assert report.data == {"name": "x.txt"}
    async with asyncio.timeout(10):
        await runner.site.hung_up.wait()


async def test_a_response_is_dropped_with_its_job(runner: Supervisor) -> None:
    module = handler(
        """
        uid = payload.get("uid") or (await page.request.get("http://shop.example/p"))._impl_obj._fetch_uid()
        reply = await page.request._impl_obj._channel.fetchResponseBody(fetchUid=uid)
        return {"uid": uid, "kept": reply["binary"] is not None}
        """,
        name="asks",
    )
    first = (await runner.run(module)).data
    second = (await runner.run(module, first)).data
    assert (first["kept"], second["kept"]) == (True, False)


async def test_a_module_can_remove_its_own_callbacks(runner: Supervisor) -> None:
    runner.site.pages["/p"] = SiteAnswer("<h1>p</h1>")
    module = handler(
        """
        called = []
        def listener(page):
            called.append("listener")
        async def router(route):
            called.append("router")
            await route.continue_()
        for _ in range(2):
            page.on("domcontentloaded", listener)
            await page.route("**/p", router)
            await page.goto("http://shop.example/p")
            page.remove_listener("domcontentloaded", listener)
            await page.unroute("**/p", router)
            await page.goto("http://shop.example/p")
        return {"called": called}
        """,
        name="unhooks",
    )
    assert (await runner.run(module)).data == {"called": ["router", "listener"] * 2}


async def test_a_listener_has_no_more_rights_than_its_handler(runner: Supervisor) -> None:
    runner.site.pages["/p"] = SiteAnswer("<h1>p</h1>")
    module = handler(
        """
        tried = asyncio.get_running_loop().create_future()
        async def ask(page):
            try:
                await page.context.browser.new_context()
            except Exception as error:
                tried.set_result(type(error).__name__)
        page.on("domcontentloaded", ask)
        await page.goto("http://shop.example/p")
        return {"tried": await tried}
        """,
        name="asks-in-a-listener",
    )
    assert (await runner.run(module)).data == {"tried": "CallRefused"}


async def test_the_geolocation_of_one_job_is_not_that_of_the_next(runner: Supervisor) -> None:
    runner.site.pages["/app"] = SiteAnswer("<h1>app</h1>")
    where = """
        await page.context.grant_permissions(["geolocation"])
        await page.goto("http://app.localhost/app")
        return await page.evaluate('''() => new Promise(done => navigator.geolocation.getCurrentPosition(
            at => done({latitude: at.coords.latitude}), error => done({latitude: null}), {timeout: 300}))''')
    """
    sets = "await page.context.set_geolocation({'latitude': 7, 'longitude': 7})\n"
    here = await runner.run(handler(textwrap.dedent(sets) + textwrap.dedent(where), name="here"))
    assert here.data == {"latitude": 7}
    assert (await runner.run(handler(where, name="where"))).data == {"latitude": None}


async def test_a_password_in_an_address_replaces_the_runner(start: Callable[..., Awaitable[Supervisor]]) -> None:
    # Without that, the next job is logged in: the browser keeps the password as long as it runs.
    runner = await start(pages=1, persistent=False)
    runner.site.pages["/p"] = SiteAnswer("<h1>p</h1>")
    await runner.run(handler("await page.goto('http://ada:secret@shop.example/p')\nreturn {}"))
    assert runner.retire_causes == ["state"]
    assert "a password in an address" in runner.retired[0]
    assert "secret" not in runner.retired[0]


async def test_the_documents_of_past_jobs_are_freed(start: Callable[..., Awaitable[Supervisor]]) -> None:
    """Chromium keeps them, as memory is not short."""
    runner = await start(pages=1)
    runner.site.pages["/p"] = SiteAnswer("<title>p</title>")
    for _ in range(CLEANINGS_PER_COLLECTION):
        await runner.run(handler("await page.goto('http://shop.example/p')", name="visits"))
    count = "devtools = await page.context.new_cdp_session(page)\nreturn await devtools.send('Memory.getDOMCounters')"
    assert (await runner.run(handler(count, name="counts"))).data["documents"] < CLEANINGS_PER_COLLECTION


async def test_a_page_that_has_served_many_jobs_is_replaced(
    start: Callable[..., Awaitable[Supervisor]],
) -> None:
    """Playwright keeps what each job has requested until its page is closed."""
    runner = await start(pages=1)
    guid = handler("return {'guid': page._impl_obj._guid}", name="names")
    seen = [(await runner.run(guid)).data["guid"] for _ in range(JOBS_PER_PAGE + 1)]
    assert [seen.count(each) for each in dict.fromkeys(seen)] == [JOBS_PER_PAGE, 1]
    assert runner.retired == []
