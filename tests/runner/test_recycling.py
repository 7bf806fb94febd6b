"""Dirty handlers: whatever one leaves on its page, the next job on that page does not see it."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from pw_runner.bundles import handler
from pw_runner.site import Answer, Request
from pw_runner.supervisor import Supervisor

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]

# What the next job on the same page finds. One page a runner, so it is the same page or its replacement.
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
    seen["pages"] = len(page.context.pages)
    seen["messages"] = len(await page.console_messages(filter="all"))
    await page.keyboard.type("a")
    await page.evaluate("1")
    return seen
    """,
    name="look",
)
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
    "pages": 1,
    "messages": 0,
}
OPEN = "await page.goto('http://shop.example/p')\n"

DIRT = {
    "nothing": "",
    "content": "await page.set_content('<title>left</title>')",
    "route": "await page.route('**/look', lambda route: route.fulfill(body='<title>left</title>'))",
    "context route": "await page.context.route('**/look', lambda route: route.fulfill(body='<title>left</title>'))",
    "web socket route": "await page.route_web_socket('**', lambda socket: None)",
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
    "devtools": "await (await page.context.new_cdp_session(page)).send('Emulation.setDeviceMetricsOverride',"
    " {'width': 200, 'height': 200, 'deviceScaleFactor': 1, 'mobile': False})",
    "key held": "await page.keyboard.down('Shift')",
    "button held": "await page.mouse.down()",
    "window name": OPEN + "await page.evaluate(\"window.name = 'left'\")",
    "session storage": OPEN + "await page.evaluate(\"sessionStorage.setItem('left', '1')\")",
    "session storage of a page before": OPEN
    + "await page.evaluate(\"sessionStorage.setItem('left', '1')\")\nawait page.goto('http://other.example/p')",
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
    "dialog": OPEN + "page.on('dialog', lambda dialog: None)\n"
    "await page.evaluate(\"setTimeout(() => alert('left'), 0)\")\n"
    "await page.wait_for_event('dialog')",
    "confirm without listener": OPEN + "await page.evaluate(\"setTimeout(() => confirm('left'), 0)\")",
    "busy loop": OPEN + "await page.evaluate('setTimeout(() => { while (true); }, 0)')",
    "busy unload": OPEN + "await page.evaluate(\"addEventListener('pagehide', () => { while (true); })\")",
    "interval": OPEN + "await page.evaluate('setInterval(() => { window.leftBehind = 1 }, 1)')",
    "worker": OPEN + "await page.evaluate(\"new Worker('data:text/javascript,setInterval(() => 1, 1)') && 1\")",
    "failed navigation": "try:\n    await page.goto('https://shop.example/')\nexcept Exception:\n    pass",
    "navigation under way": "await page.evaluate(\"location.href = 'http://shop.example/held'\")",
    "download": OPEN + "await page.evaluate(\"location.href = '/file'\")",
    "closed page": "await page.close()",
    "crashed page": "await (await page.context.new_cdp_session(page)).send('Page.crash')",
    "timeouts": "page.set_default_timeout(1)\npage.set_default_navigation_timeout(1)",
    "listener": "page.on('framenavigated', lambda frame: print('heard'))",
    "context listener": "page.context.on('response', lambda response: print('heard'))",
    "cookie": OPEN + "await page.evaluate(\"document.cookie = 'left=1'\")",
    "local storage": OPEN + "await page.evaluate(\"localStorage.setItem('left', '1')\")",
    "locator handler": OPEN + "await page.add_locator_handler(page.locator('h1'), lambda: None)",
    "tracing": "await page.context.tracing.start()",
}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def runner() -> AsyncIterator[Supervisor]:
    """One page, so that the next job gets the same one; an ephemeral context."""
    supervisor = await Supervisor(persistent=False, pages=1, recycle_seconds=1.5).start()
    yield supervisor
    await supervisor.close()


@pytest.mark.parametrize("dirt", DIRT)
async def test_the_next_job_sees_nothing_of_it(runner: Supervisor, dirt: str) -> None:
    asked: list[Request] = []

    def look(request: Request) -> Answer:
        asked.append(request)
        return Answer("<title>look</title><h1>look</h1>")

    runner.site.pages |= {
        "/look": look,
        "/p": Answer("<title>p</title><h1>p</h1>"),
        "/held": Answer(held=True),
        "/file": Answer("x", headers=("Content-Disposition: attachment; filename=x.txt",), content_type="text/plain"),
    }
    version = f"1.0.{list(DIRT).index(dirt)}"
    await runner.run(handler(DIRT[dirt] + "\nreturn {}", name="dirty", version=version))
    told = await runner.run(LOOK)
    assert told.data == CLEAN
    assert "x-left" not in asked[0].headers
    assert "cookie" not in asked[0].headers
    assert told.logs == []
    assert runner.retired == []
