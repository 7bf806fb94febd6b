"""Goes through the pages of a list: by a link, a parameter of the URL, a button that loads more, or scrolling."""

import asyncio
import json
import re
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Literal
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from playwright.async_api import Page

from pageworker.extraction import FIND_NODES, Each, place_of
from pageworker.page_reading import on_one_document

MOST_DIGITS = 9
PagesEnd = Literal["last_page", "nothing_new", "repeated", "max_pages", "max_items"]

# How many elements a list has, and what they say.
LIST_NOW = (
    """at => {
  const nodes = """
    + FIND_NODES
    + """;
  const found = nodes(document, at, 100000);
  return [found.length, found.map(each => each.textContent ?? each).join('\\n').slice(0, 100000)];
}"""
)
# An observer in the page: `wait_for_function` needs `eval`, which the page's content security policy may forbid.
LIST_CHANGES = (
    """([at, count, text, milliseconds]) => new Promise(resolve => {
  const now = """
    + LIST_NOW
    + """;
  const changed = () => {
    const [found, says] = now(at);
    return count === null ? found > 0 && says !== text : found > count;
  };
  const observer = new MutationObserver(() => changed() && end(true));
  const timer = setTimeout(() => end(changed()), milliseconds);
  const end = result => { observer.disconnect(); clearTimeout(timer); resolve(result); };
  observer.observe(document, { attributes: true, characterData: true, childList: true, subtree: true });
  if (changed()) end(true);
})"""
)
NEXT_LINK = """element => {
  const link = element.closest('a[href]');
  const off = element.matches(':disabled, [aria-disabled=true], .disabled');
  return { off, url: link && /^https?:/.test(link.href) ? link.href : null };
}"""


@dataclass(frozen=True, kw_only=True, slots=True)
class Pages:
    """What `helpers.paginate` has read."""

    items: list[Any]
    """Of all pages, in their order."""
    count: int
    """Pages that were read. A list that grows has one more with each growth."""
    ended: PagesEnd
    """`last_page`: there is no next one. `nothing_new`: nothing more was loaded. `repeated`: the site shows a page
    again. `max_pages`, `max_items`: the bound."""


@dataclass
class Paginator:
    """One list of a page. `read`: its items as they are now."""

    page: Page
    read: Callable[[], Awaitable[list[Any]]]
    items: Each
    max_pages: int
    max_items: int
    wait_seconds: float

    async def by_turning(self, turn: Callable[[int], Awaitable[bool]]) -> Pages:
        """Each page replaces the one before. `turn(number)` goes to it; False: there is none."""
        found: list[Any] = []
        seen: set[str] = set()
        for number in range(1, self.max_pages + 1):
            if number > 1 and not await turn(number):
                return self._ended(found, number - 1, "last_page")
            items = await self.read()
            fingerprint = json.dumps(items, sort_keys=True)
            if not items:
                return self._ended(found, number - 1, "last_page")
            if fingerprint in seen:
                return self._ended(found, number - 1, "repeated")
            seen.add(fingerprint)
            found += items
            if len(found) >= self.max_items:
                return self._ended(found, number, "max_items")
        return self._ended(found, self.max_pages, "max_pages")

    async def by_growing(self, grow: Callable[[], Awaitable[bool]]) -> Pages:
        """Each step adds to the list. `grow` asks for more; False: there is no way to."""
        for number in range(1, self.max_pages + 1):
            items = await self.read()
            if len(items) >= self.max_items:
                return self._ended(items, number, "max_items")
            if number == self.max_pages:
                return self._ended(items, number, "max_pages")
            count, _ = await self._now()
            if not await grow():
                return self._ended(items, number, "last_page")
            if not await self._changes(count, None):
                return self._ended(items, number, "nothing_new")
        raise ValueError("helpers.paginate: `max_pages` must be at least 1")

    async def follow(self, selector: str) -> bool:
        """Go to the next page by this link or button. False: it is absent, hidden or switched off."""
        element = self.page.locator(selector).first
        if not await element.is_visible():
            return False
        link = await element.evaluate(NEXT_LINK)
        if link["off"]:
            return False
        url = web_url(link["url"])
        if url is not None and url.partition("#")[0] != self.page.url.partition("#")[0]:
            await self.page.goto(url, wait_until="domcontentloaded")
            await self._changes(0, None)
            return True
        _, text = await self._now()
        await element.click()
        # A list that stays as it is counts as repeated.
        await self._changes(None, text)
        return True

    async def go_to_number(self, parameter: str, number: int) -> bool:
        """Go to the URL with this number as parameter."""
        await self.page.goto(with_parameter(self.page.url, parameter, str(number)), wait_until="domcontentloaded")
        await self._changes(0, None)
        return True

    async def click(self, selector: str) -> bool:
        """Click what loads more. False: it is absent, hidden or switched off."""
        element = self.page.locator(selector).first
        if not await element.is_visible() or not await element.is_enabled():
            return False
        await element.click()
        return True

    async def scroll(self) -> bool:
        """Scroll to the end of the page, as far as it goes now."""
        await self.page.evaluate("window.scrollTo(0, document.documentElement.scrollHeight)")
        return True

    async def _now(self) -> tuple[int, str]:
        count, text = await self.page.evaluate(LIST_NOW, place_of(self.items.selector))
        return count, text

    async def _changes(self, count: int | None, text: str | None) -> bool:
        """Wait until there are more than `count` items, or they say something else than `text`."""
        argument = [place_of(self.items.selector), count, text, self.wait_seconds * 1000]
        # A page without scripts, or with a clock that stands still, does not end its own wait.
        with suppress(TimeoutError):
            async with asyncio.timeout(self.wait_seconds + 1):
                return bool(await on_one_document(self.page, lambda: self.page.evaluate(LIST_CHANGES, argument)))
        return False

    def _ended(self, items: list[Any], count: int, ended: PagesEnd) -> Pages:
        return Pages(items=items[: self.max_items], count=count, ended=ended)


def web_url(untrusted_url: object) -> str | None:
    """The URL, if it is one of http or https. The page may have replaced the functions that its script calls."""
    return untrusted_url if isinstance(untrusted_url, str) and re.match(r"https?://", untrusted_url) else None


def with_parameter(url: str, name: str, value: str) -> str:
    """The URL with this parameter of its query. The other ones stay."""
    parts = urlsplit(url)
    query = [(key, old) for key, old in parse_qsl(parts.query, keep_blank_values=True) if key != name]
    return urlunsplit((parts.scheme, parts.netloc, parts.path, urlencode([*query, (name, value)]), ""))


def first_number(url: str, name: str) -> int:
    """The number that the URL has as this parameter; 1 without one."""
    value = dict(parse_qsl(urlsplit(url).query)).get(name, "1")
    # The site chooses the URL. A number with more digits is not the number of a page.
    return int(value) if value.isdecimal() and len(value) <= MOST_DIGITS else 1
