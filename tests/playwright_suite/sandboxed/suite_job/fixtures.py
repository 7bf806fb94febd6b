"""Fixtures: those of the test's own file by its functions, those of the suite's conftest by what a job has."""

import gc
import inspect
from collections.abc import Callable
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from importlib import import_module
from types import ModuleType
from typing import Any

from playwright.async_api import Page, Playwright

from ..shipped import FOLDER, ShippedPath
from .assets import ASSETS, TESTS
from .golden import GoldenPictures
from .server import Server

FACTS: dict[str, Any] = {
    "browser_channel": None,
    "browser_name": "chromium",
    "default_same_site_cookie_value": "Lax",
    "headless": True,
    "is_chromium": True,
    "is_firefox": False,
    "is_headless_shell": True,
    "is_linux": True,
    "is_mac": False,
    "is_webkit": False,
    "is_win": False,
}


class Fixtures(AsyncExitStack):
    """The fixtures of one test. Leaving the block tears them down."""

    def __init__(
        self, page: Page, module: ModuleType, owner: Any, servers: list[Server], golden: GoldenPictures
    ) -> None:
        super().__init__()
        self._page = page
        self._module = module
        self._owner = owner
        self._servers = servers
        self._golden = golden
        self._values: dict[str, Any] = {}
        self._test = ""

    async def call(self, function: Callable[..., Any], indices: dict[str, int]) -> None:
        """Call the test with its fixtures and with these places of its parameters."""
        self._test = function.__name__
        parameters = _parameters(function, indices)
        own = [name for name, fixture in self._own_fixtures() if fixture.suite_fixture["autouse"]]
        wanted = [*own, *inspect.signature(function).parameters]
        if "context" in wanted and "page" not in wanted and not self._needs_page(wanted):
            # In the suite, a context begins without a page.
            await self._page.close()
        for name in own:
            await self._value(name)
        given = {
            name: parameters[name] if name in parameters else await self._value(name)
            for name in inspect.signature(function).parameters
        }
        await _awaited(function(**given))

    def _needs_page(self, names: list[str]) -> bool:
        own = dict(self._own_fixtures())
        return any("page" in inspect.signature(own[name]).parameters for name in names if name in own)

    def _own_fixtures(self) -> list[tuple[str, Any]]:
        return [
            (name, getattr(holder, name))
            for holder in (self._module, self._owner)
            for name, value in inspect.getmembers(holder)
            if hasattr(value, "suite_fixture")
        ]

    async def _value(self, name: str) -> Any:
        if name not in self._values:
            own = dict(self._own_fixtures()).get(name)
            self._values[name] = self._of_suite(name) if own is None else await self._of_file(own)
        return self._values[name]

    async def _of_file(self, fixture: Callable[..., Any]) -> Any:
        given = {name: await self._value(name) for name in inspect.signature(fixture).parameters}
        if inspect.isasyncgenfunction(fixture):
            return await self.enter_async_context(asynccontextmanager(fixture)(**given))
        if inspect.isgeneratorfunction(fixture):
            return self.enter_context(contextmanager(fixture)(**given))
        return await _awaited(fixture(**given))

    def _of_suite(self, name: str) -> Any:
        if name in FACTS:
            return FACTS[name]
        context = self._page.context
        match name:
            case "page":
                return self._page
            case "context":
                return context
            case "browser":
                return context.browser
            case "browser_type":
                return context.browser and context.browser.browser_type
            case "browser_version":
                return context.browser and context.browser.version
            case "playwright":
                return _playwright()
            case "selectors":
                return _playwright().selectors
            case "server":
                return self._servers[0]
            case "https_server":
                return self._servers[1]
            case "assetdir":
                return ASSETS
            case "utils":
                return import_module(f"{TESTS}.async.utils").utils
            case "assert_to_be_golden":
                return self._golden.add
            case "tmp_path":
                return ShippedPath(str(import_module(TESTS).__file__)).parent / FOLDER / self._test
        raise LookupError(f"a job has no fixture `{name}`")


def _playwright() -> Playwright:
    return next(one for one in gc.get_objects() if isinstance(one, Playwright))


def _parameters(function: Any, indices: dict[str, int]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for names, values in getattr(function, "suite_parameters", []):
        listed = [name.strip() for name in names.split(",")] if isinstance(names, str) else list(names)
        if listed[0] in indices:
            value = values[indices[listed[0]]]
            value = getattr(value, "suite_values", value)
            found |= zip(listed, [value] if len(listed) == 1 and not isinstance(names, tuple) else value, strict=True)
    return found


async def _awaited(value: Any) -> Any:
    return await value if inspect.isawaitable(value) else value
