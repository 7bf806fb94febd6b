"""Collects what a page's main document shows, for the blocker rules. The page can lie about itself, and cannot hang it.

The script runs in a world of its own: the document is the page's, but no function that the page has replaced is called.
"""

import asyncio
from collections.abc import Sequence
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct
from playwright.async_api import CDPSession
from playwright.async_api import Error as BrowserError

from pageworker_runner.pages.main_documents import MainDocuments
from pageworker_runner.pages.slot import WarmPage
from pageworker_sandbox.blockers.signs import PageSight

WORLD = "pageworker"
MAX_TEXT = 5000
MAX_TITLE = 300
MAX_SOURCES = 200
MAX_URL = 2000
UNKNOWN_LENGTH = 10**9
"""Of a text that was not read: it must not count as a short one."""
SCRIPT = """(selectors, most) => {
  const visible = element => element.checkVisibility({opacityProperty: true, visibilityProperty: true});
  const shown = selector => {
    // Rules of an operator's own may have a selector that is none. It must not disable the others.
    try { return [...document.querySelectorAll(selector)].some(visible); } catch { return false; }
  };
  const text = document.body ? document.body.innerText : '';
  const sources = [];
  for (const element of document.querySelectorAll('script[src], iframe[src], form[action]')) {
    if (sources.length === most.sources) break;
    sources.push(String(new URL(element.getAttribute('src') ?? element.getAttribute('action'), document.baseURI)
      ).slice(0, most.url));
  }
  return {
    url: location.href.slice(0, most.url),
    status: performance.getEntriesByType('navigation')[0]?.responseStatus || null,
    title: document.title.slice(0, most.title).toWellFormed(),
    text: text.slice(0, most.text).toWellFormed(),
    text_length: text.length,
    sources,
    elements: selectors.filter(shown),
  };
}"""


class PageAnswer(Struct, frozen=True, kw_only=True):
    """What the script answers. The page's own texts."""

    url: Annotated[str, Meta(max_length=MAX_URL)]
    status: int | None
    title: Annotated[str, Meta(max_length=MAX_TITLE)]
    text: Annotated[str, Meta(max_length=MAX_TEXT)]
    text_length: int
    sources: Annotated[tuple[str, ...], Meta(max_length=MAX_SOURCES)]
    elements: frozenset[str]


async def sight_of(
    warm: WarmPage, documents: MainDocuments, selectors: Sequence[str], seconds: float
) -> PageSight | None:
    """What the page shows. Raises nothing.

    A page that does not answer within `seconds` is known by its URL, and by the status and headers that it came with.
    None: not even by these.
    """
    known = None
    try:
        async with asyncio.timeout(seconds):
            status, headers = await documents.answer(warm.page)
            if status is not None:
                known = PageSight(url=warm.page.url, status=status, headers=headers, text_length=UNKNOWN_LENGTH)
            shown = await _ask(warm.devtools, warm.target, selectors)
            cookies = await warm.page.context.cookies(shown.url)
    except (TimeoutError, BrowserError, msgspec.ValidationError, KeyError):
        return known
    return PageSight(
        url=shown.url,
        status=status or shown.status,
        headers=headers,
        cookies=frozenset(cookie.get("name", "") for cookie in cookies),
        title=shown.title,
        text=shown.text,
        text_length=shown.text_length,
        sources=shown.sources,
        elements=shown.elements,
    )


async def _ask(devtools: CDPSession, frame: str, selectors: Sequence[str]) -> PageAnswer:
    """Raises Playwright's Error, KeyError, ValidationError. The id of a page's main frame is the page's own."""
    world = await devtools.send("Page.createIsolatedWorld", {"frameId": frame, "worldName": WORLD})
    most = {"sources": MAX_SOURCES, "url": MAX_URL, "title": MAX_TITLE, "text": MAX_TEXT}
    call: dict[str, Any] = {
        "functionDeclaration": SCRIPT,
        "executionContextId": world["executionContextId"],
        "arguments": [{"value": list(selectors)}, {"value": most}],
        "returnByValue": True,
    }
    answer = await devtools.send("Runtime.callFunctionOn", call)
    return msgspec.convert(answer["result"]["value"], PageAnswer)
