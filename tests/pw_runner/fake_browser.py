"""A browser context and pages without a browser, as far as the page pool and the command recorder look at them."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from playwright._impl._async_base import mapping

from pageworker_runner.pages.playwright_internals.private_names import CONTEXT_PARTS, PAGE_PARTS


class FakeTarget:
    """An object of Playwright's client that commands are sent to."""

    def __init__(self, type: str, guid: str = "", page: "FakeTarget | None" = None) -> None:
        self._type = type
        self._guid = guid
        if page is not None:
            self._page = page


class FakePart:
    """An object of the client that belongs to a page, a browser context or a browser."""


class FakeConnection:
    """Playwright's connection to its driver. Every command gets a reply that the test decides."""

    def __init__(self) -> None:
        self.sent: list[str] = []
        self.replies: list[asyncio.Future[Any]] = []
        self._objects: dict[str, FakeTarget] = {}
        self._instrumentation = FakePart()

    def send_message_to_server(self, target: FakeTarget, method: str, params: Any, options: Any) -> Any:
        self.sent.append(f"{target._type}.{method}")
        self.replies.append(asyncio.get_running_loop().create_future())
        return self.replies[-1]

    def dispatch(self, message: dict[str, Any]) -> None:
        return


class FakeTimeouts:
    """Playwright's timeout settings."""

    def __init__(self) -> None:
        self.default: float | None = None

    def set_default_timeout(self, timeout: float | None) -> None:
        self.default = timeout

    def set_default_navigation_timeout(self, timeout: float | None) -> None:
        return


class FakeEmitter:
    """An object of the client that has listeners."""

    def __init__(self) -> None:
        self.listeners: list[tuple[str, Callable[..., Any]]] = []

    def _add_listener(self, event: str, listener: Callable[..., Any], prepend: bool) -> None:
        self.listeners.append((event, listener))

    def remove_listener(self, event: str, listener: Callable[..., Any]) -> None:
        self.listeners.remove((event, listener))


class FakeBrowserType:
    """The private part of a browser type, with the selectors of its Playwright."""

    def __init__(self) -> None:
        self._playwright = FakePart()
        vars(self._playwright)["selectors"] = FakePart()


class FakeBrowserImpl(FakeEmitter):
    """The private part of a browser."""

    def __init__(self) -> None:
        super().__init__()
        self._browser_type = FakeBrowserType()


class FakeContextImpl(FakeEmitter):
    """The private part of a browser context."""

    def __init__(self) -> None:
        super().__init__()
        self._connection = FakeConnection()
        self._timeout_settings = FakeTimeouts()
        self._browser = FakeBrowserImpl()
        self._bindings: dict[str, Any] = {}
        vars(self).update({name: FakePart() for name in CONTEXT_PARTS})


class FakeWrapper:
    """Such an object as modules see it."""

    def __init__(self, impl: Any) -> None:
        self._impl_obj = impl


for impl in (FakePart, FakeBrowserImpl, FakeContextImpl):
    mapping.register(impl, FakeWrapper)


class FakePageImpl:
    """The private part of a page."""

    def __init__(self, guid: str) -> None:
        self._guid = guid
        self._opener = None
        self._main_frame = FakePart()
        self._timeout_settings = FakeTimeouts()
        vars(self).update({name: FakePart() for name in PAGE_PARTS})

    def event_names(self) -> set[str]:
        return set()

    def raw_listeners(self, event: str) -> list[Any]:
        return []


class FakePage:
    """A page. `hangs`: it never closes."""

    def __init__(self, context: "FakeContext", number: int) -> None:
        self._impl_obj = FakePageImpl(f"page@{number}")
        self._context = context
        self.main_frame = FakePart()
        self._handlers: dict[str, Callable[..., Any]] = {}
        self.hangs = False

    @property
    def guid(self) -> str:
        return self._impl_obj._guid

    def on(self, event: str, handler: Callable[..., Any]) -> None:
        self._handlers[event] = handler

    def crash(self) -> None:
        self._handlers["crash"](self)

    def is_closed(self) -> bool:
        return self not in self._context.pages

    async def set_viewport_size(self, size: Any) -> None:
        return

    async def close(self) -> None:
        if self.hangs:
            await asyncio.get_running_loop().create_future()
        self._context.pages.remove(self)


class FakeDevtools:
    """A DevTools session of a page."""

    def __init__(self, context: "FakeContext", page: FakePage) -> None:
        self._context = context
        self._page = page

    async def send(self, command: str, params: Any = None) -> dict[str, Any]:
        if command == "Target.getTargetInfo":
            return {"targetInfo": {"targetId": self._page.guid}}
        if command == "Browser.getWindowForTarget":
            return {"bounds": {"left": 0, "top": 0, "width": 1280, "height": 720}}
        assert command == "Target.getTargets"
        return {"targetInfos": [{"type": "page", "url": "about:blank"} for _ in self._context.pages]}


class FakeContext:
    """A browser context with one page, as Chromium starts it."""

    def __init__(self) -> None:
        self._impl_obj = FakeContextImpl()
        self._numbers = 0
        self.pages: list[FakePage] = []
        self._open()

    def _open(self) -> FakePage:
        self._numbers += 1
        self.pages.append(FakePage(self, self._numbers))
        return self.pages[-1]

    def on(self, event: str, handler: Callable[..., Any]) -> None:
        return

    async def new_page(self) -> FakePage:
        return self._open()

    async def new_cdp_session(self, page: FakePage) -> FakeDevtools:
        return FakeDevtools(self, page)


@contextmanager
def callbacks_restored() -> Iterator[None]:
    """A CommandRecorder replaces how Playwright wraps callbacks, in the whole process. Here only inside the block."""
    before = dict(vars(mapping))
    try:
        yield
    finally:
        vars(mapping).clear()
        vars(mapping).update(before)
