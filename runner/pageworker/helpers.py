"""What a handler is given beside its page: artifacts, log, waiting, structured results."""

from collections.abc import Mapping, Sequence
from typing import NoReturn

from playwright.async_api import Locator, Page

from pageworker.log import Log
from pageworker.outcomes import Blocked, BlockerKind, Failed
from pageworker.sink import Sink

# One evaluate for all fields: a round trip a field would cost more than the page's own work.
READ_FIELDS = """fields => Object.fromEntries(Object.entries(fields).map(([name, [selector, attribute]]) => {
  const element = selector ? document.querySelector(selector) : document.documentElement;
  if (!element) return [name, null];
  const value = attribute ? element.getAttribute(attribute) : element.textContent;
  // A page may cut a pair of surrogates in two; JSON and UTF-8 hold no half of one.
  return [name, value === null ? null : value.trim().toWellFormed()];
}))"""


class Helpers:
    """One attempt's helpers. Times are seconds; without a timeout the page's default one holds."""

    def __init__(self, page: Page, sink: Sink) -> None:
        self._page = page
        self._sink = sink
        self.log = Log(sink)

    async def artifact(self, kind: str, data: bytes | str, content_type: str = "application/octet-stream") -> None:
        """Keep `data` beside the result, under `kind` (lower case, such as `invoice`).

        Text is stored as UTF-8. Raises ValueError past 32 MiB, or past what an attempt may keep: 64 artifacts,
        96 MiB together.
        """
        await self._sink.artifact(kind, data.encode() if isinstance(data, str) else data, content_type)

    async def screenshot(self, page: Page | None = None, *, kind: str = "screenshot", full_page: bool = False) -> None:
        """Keep a PNG of `page`, by default the job's own."""
        png = await (page or self._page).screenshot(type="png", full_page=full_page)
        await self._sink.artifact(kind, png, "image/png")

    async def html(self, page: Page | None = None, *, kind: str = "html") -> None:
        """Keep the HTML of `page` as it is now, by default the job's own."""
        text = await (page or self._page).content()
        await self._sink.artifact(kind, text.encode(errors="replace"), "text/html; charset=utf-8")

    async def wait_until(
        self,
        target: str | Locator | None = None,
        *,
        url: str | None = None,
        script: str | None = None,
        timeout_seconds: float | None = None,
    ) -> None:
        """Wait, without polling from here, until all that is given holds: `target` (selector or locator) is
        visible, the page's `url` matches the glob, the JavaScript expression `script` is true.

        Raises Playwright's TimeoutError, which ends the attempt as a retryable `timeout`.
        """
        if target is url is script is None:
            raise ValueError("wait_until waits for a target, a url or a script: give at least one")
        timeout = None if timeout_seconds is None else timeout_seconds * 1000
        if url is not None:
            await self._page.wait_for_url(url, timeout=timeout, wait_until="domcontentloaded")
        if target is not None:
            locator = self._page.locator(target) if isinstance(target, str) else target
            await locator.first.wait_for(state="visible", timeout=timeout)
        if script is not None:
            await self._page.wait_for_function(script, timeout=timeout)

    async def which(self, targets: Mapping[str, str | Locator], *, timeout_seconds: float | None = None) -> str:
        """Wait until one of several things is visible and say which: `{"ok": "#price", "captcha": ".cf"}`.

        Raises Playwright's TimeoutError.
        """
        if not targets:
            raise ValueError("which waits for one of several targets: give at least one")
        locators = {
            name: self._page.locator(target) if isinstance(target, str) else target for name, target in targets.items()
        }
        names = list(locators)
        any_of = locators[names[0]]
        for name in names[1:]:
            any_of = any_of.or_(locators[name])
        timeout = None if timeout_seconds is None else timeout_seconds * 1000
        await any_of.locator("visible=true").first.wait_for(state="visible", timeout=timeout)
        for name, locator in locators.items():
            if await locator.locator("visible=true").count():
                return name
        raise Failed("what was waited for went away again", type="unstable_page", retryable=True)

    async def extract(self, fields: Mapping[str, str], *, required: Sequence[str] = ()) -> dict[str, str | None]:
        """Read many fields in one round trip: `{"title": "h1", "link": "a.more@href"}`.

        `selector` gives trimmed text, `selector@attribute` an attribute; what is not there is None. Raises
        Failed(`field_missing`, retryable) naming every required field that is not there.
        """
        if unknown := [name for name in required if name not in fields]:
            raise ValueError(f"required, but not among the fields: {', '.join(unknown)}")
        asked = {name: [css, attribute] for name, spec in fields.items() for css, attribute in [_split(spec)]}
        found: dict[str, str | None] = await self._page.evaluate(READ_FIELDS, asked)
        missing = [name for name in required if found[name] is None]
        if missing:
            raise Failed(
                f"not on the page: {', '.join(missing)}",
                type="field_missing",
                retryable=True,
                detail={"missing": missing, "selectors": {name: fields[name] for name in missing}},
            )
        return found

    def blocked(self, kind: BlockerKind, provider: str | None = None, **evidence: object) -> NoReturn:
        """End the attempt as `blocked`. See Blocked."""
        raise Blocked(kind, provider, evidence)


def _split(spec: str) -> tuple[str, str]:
    """`a.more@href` is the attribute `href` of `a.more`; an @ inside a CSS string or bracket is no separator."""
    selector, at, attribute = spec.rpartition("@")
    if at and attribute.replace("-", "").replace("_", "").replace(":", "").isalnum():
        return selector, attribute
    return spec, ""
