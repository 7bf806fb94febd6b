"""The helpers that a handler gets beside its page and payload. They write to a sink."""

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AbstractContextManager
from functools import partial
from typing import Any, NoReturn

from playwright.async_api import Download, Locator, Page
from playwright.async_api import TimeoutError as PageTimeout

from pageworker import page_reading
from pageworker.extraction import READ_FIELDS, Each, missing_fields, parsed_fields
from pageworker.job_file import JobFile
from pageworker.once import Once
from pageworker.outcomes import Blocked, BlockerKind, Failed, ProfileState
from pageworker.page_reading import on_one_document
from pageworker.pagination import Pages, Paginator, first_number
from pageworker.sink import DownloadedFile, Sink
from pageworker.waits import LocatorState, wait_for_all
from pageworker.well_formed import well_formed


class Log:
    """`helpers.log.info("found offers", count=3)`: a message and fields, whose values are stored as short strings."""

    def __init__(self, sink: Sink) -> None:
        self._sink = sink

    def debug(self, message: str, **fields: object) -> None:
        """Log details that only help to debug the module."""
        self._sink.log("debug", message, fields)

    def info(self, message: str, **fields: object) -> None:
        """Log an event of normal operation."""
        self._sink.log("info", message, fields)

    def warning(self, message: str, **fields: object) -> None:
        """Log a problem that did not stop the handler."""
        self._sink.log("warning", message, fields)

    def error(self, message: str, **fields: object) -> None:
        """Log a failure."""
        self._sink.log("error", message, fields)


class Helpers:
    """The helpers of one attempt. Timeouts are seconds; None means the page's default timeout (30 s)."""

    def __init__(self, page: Page, sink: Sink) -> None:
        self._page = page
        self._sink = sink
        self.log = Log(sink)

    async def artifact(self, kind: str, data: bytes | str, content_type: str = "application/octet-stream") -> None:
        """Store `data` beside the result, under `kind`: lower case, such as `invoice`. Text is stored as UTF-8.

        Returns once the worker has accepted the bytes. Raises ValueError past 32 MiB per artifact, and past 64
        artifacts or 96 MiB per attempt.
        """
        await self._sink.artifact(kind, well_formed(data).encode() if isinstance(data, str) else data, content_type)

    async def screenshot(self, page: Page | None = None, *, kind: str = "screenshot", full_page: bool = False) -> None:
        """Store a PNG of `page`, by default of the job's own page. Raises as `artifact`.

        Waits for web fonts as Playwright does, but at most 5 s and a third of what is left of the attempt's time.
        Raises Playwright's TimeoutError if the page draws nothing at all: a style sheet never arrives, or its script
        never ends.
        """
        await self._sink.artifact(kind, await self._sink.screenshot(page or self._page, full_page), "image/png")

    async def download(self, download: Download, *, kind: str = "download") -> DownloadedFile:
        """Store a file that the page has downloaded beside the result, under `kind`. Waits until it has arrived.

            async with page.expect_download() as started:
                await page.click("text=Invoice")
            file = await helpers.download(await started.value, kind="invoice")

        A page that is a file itself (a PDF, an attachment) downloads it, too: wrap `page.goto`, and catch its error.
        Raises Failed (`download`) if the download fails, and as `artifact`.
        """
        return await self._sink.download(kind, download)

    async def file(self, name: str) -> JobFile:
        """A file that came with the job (its `files`), as `set_input_files` and `set_files` take it.

            await page.locator("#claim").set_input_files(await helpers.file("claim.pdf"))

        It also has `name`, `content_type`, `sha256`, `bytes` (how many) and `await file.read()`. The worker has checked
        its digest. Raises Failed (`file_missing`) if the job has no file of this name.
        """
        return await self._sink.file(name)

    def har(
        self, page: Page | None = None, *, kind: str = "har", bodies: bool = True, url: str | None = None
    ) -> AbstractAsyncContextManager[None]:
        """Store the requests of `page`, by default of the job's own page, as a HAR beside the result.

            async with helpers.har():
                await page.goto("https://shop.example/")

        `bodies`: what was received is part of it. `url`: only requests whose URL matches this glob. Credentials are
        hidden: cookies, headers that authenticate, secret options of the browser context. If the block fails or is
        stopped, the HAR is stored as well. Raises as `artifact`. The page is replaced after the job.
        """
        return self._sink.har(kind, page or self._page, bodies=bodies, url=url)

    def trace(
        self, *, kind: str = "trace", snapshots: bool = True, screenshots: bool = True
    ) -> AbstractAsyncContextManager[None]:
        """Store a trace of what the job does, for Playwright's trace viewer, beside the result.

            async with helpers.trace():
                await page.click("text=Order")

        `snapshots`: the DOM at each action, and the requests. `screenshots`: pictures of the page while it changes.
        Credentials are hidden as in `har`, but snapshots show what the pages show. Waits while another job of the
        browser context records a trace. If the block fails or is stopped, the trace is stored as well. Raises as
        `artifact`. The runner is replaced after its jobs: use it to find a mistake, not for each job.
        """
        return self._sink.trace(kind, self._page, snapshots=snapshots, screenshots=screenshots)

    def span(self, name: str, **attributes: object) -> AbstractContextManager[None]:
        """A step of the handler in the job's trace, for the block.

            with helpers.span("log in", shop="north"):
                await page.click("text=Log in")

        Spans within the block are its children. Values of `attributes` are stored as short strings: give no secret and
        nothing of the payload. An attempt has 64 spans at most; further ones are counted. If the job has no trace,
        nothing is recorded.
        """
        return self._sink.span(name, attributes)

    def step(self, text: str, **fields: object) -> AbstractContextManager[None]:
        """Report a step of the work: it is in the result's `steps`, however the attempt ends, and in the job's log.

            helpers.step("cart opened", items=3)
            with helpers.step("pay"):
                await page.click("text=Pay")

        As a block it also tells its duration, and the type of the exception that ended it. It is an event `progress` of
        the tenant as well, at most one per second. Text (500 characters) and fields are stored as short strings: give
        no secret. An attempt has 1000 steps at most.
        """
        return self._sink.step(text, fields)

    def set_test_id_attribute(self, name: str) -> None:
        """Have `page.get_by_test_id` look for this attribute instead of `data-testid`, until the attempt ends.

        It is `playwright.selectors.set_test_id_attribute` for one job. Raises ValueError if `name` is empty.
        """
        if not name:
            raise ValueError("helpers.set_test_id_attribute needs the name of an attribute, such as `data-qa`")
        self._sink.set_test_id_attribute(name)

    async def secret(self, name: str) -> str:
        """The value of a secret of the job's tenant.

        module.toml must list the name in `secrets`, and the operator must grant it to tenant and module. Raises Failed
        (`secret_denied`, not retryable) if not. Keep it out of results, logs and URLs: the worker masks it there, but
        no masking is complete. For a field of a page, use `fill_secret`.
        """
        return await self._sink.secret(name)

    async def fill_secret(self, target: str | Locator, name: str) -> None:
        """Fill a secret into a field (a selector or locator), as Playwright's `fill` does.

        The value is in no trace and in no error. From then on the browser draws the field without its text, in
        screenshots too. Raises as `secret`, and Playwright's errors.
        """
        locator = self._page.locator(target) if isinstance(target, str) else target
        await self._sink.fill_secret(locator, name)

    async def totp(self, name: str) -> str:
        """The one-time password of now (RFC 6238), from a secret that holds a seed: base32 text or an `otpauth://` URI.

        The seed stays outside the sandbox. Raises as `secret`.
        """
        return await self._sink.totp(name)

    async def once(self, key: str) -> Once:
        """Begin a side effect that must not happen twice, or learn what an earlier attempt has done of it.

            order = await helpers.once("order")
            if order.state == "begun":
                await page.click("text=Buy")
                await order.done({"number": await page.inner_text("#number")})
            elif order.state == "unknown":
                raise Failed("An earlier attempt may have ordered.", type="order_unknown")
            return order.value

        Only one call per job and key gets `begun`. `unknown`: it was begun, and its attempt ended before `done`; look
        at the site, then call `order.done(…)` or `order.not_done()`. Keys belong to the job and are kept as long as its
        result. Raises Failed: `once_limit` past 64 keys, `lease_lost` if another worker has the job.
        """
        state, value = await self._sink.once(key, "begin", None)
        return Once(self._sink, key, state, value)

    async def html(self, page: Page | None = None, *, kind: str = "html") -> None:
        """Store the current HTML of `page`, by default of the job's own page. Raises as `artifact`.

        Read again if the page goes elsewhere by itself meanwhile, as in `extract`. Raises Playwright's TimeoutError
        after 10 s.
        """
        target = page or self._page
        try:
            async with asyncio.timeout(page_reading.SETTLE_SECONDS):
                text = await on_one_document(target, target.content)
        except TimeoutError:
            raise PageTimeout(
                f"helpers.html: the page did not give its HTML within {page_reading.SETTLE_SECONDS:g} s: a navigation "
                "of it has no answer yet, a dialog is open, or its script never ends."
            ) from None
        await self._sink.artifact(kind, well_formed(text).encode(), "text/html; charset=utf-8")

    async def wait_until(
        self,
        target: str | Locator | None = None,
        *,
        url: str | None = None,
        script: str | None = None,
        timeout_seconds: float | None = None,
    ) -> None:
        """Wait until every condition that is given holds. Each may take `timeout_seconds`.

        `target`: the element (a selector or locator) is visible. `url`: the page's URL matches this glob. `script`:
        this JavaScript expression is true. Raises Playwright's TimeoutError; if the handler does not catch it, the
        attempt ends as `timeout` and is retried.
        """
        if target is url is script is None:
            raise ValueError("helpers.wait_until needs at least one of: target, url, script")
        what = "What helpers.wait_until waits for"
        await wait_for_all(self._page, what, target, "visible", url, script, timeout_seconds)

    async def wait_for(
        self,
        what: str,
        target: str | Locator | None = None,
        *,
        state: LocatorState = "visible",
        url: str | None = None,
        script: str | None = None,
        timeout_seconds: float | None = None,
    ) -> None:
        """As `wait_until`, with a name: `await helpers.wait_for("the order number", "#number")`.

        If it does not come, the error says so: "the order number did not come within 30.0 s: `#number` is not visible.
        The page is https://shop.example/cart". `state`: what `target` has to be. Raises as `wait_until`.
        """
        if target is url is script is None:
            raise ValueError("helpers.wait_for needs at least one of: target, url, script")
        await wait_for_all(self._page, what, target, state, url, script, timeout_seconds)

    async def which(self, targets: Mapping[str, str | Locator], *, timeout_seconds: float | None = None) -> str:
        """Wait until one of several elements is visible, and return its name: `{"ok": "#price", "captcha": ".cf"}`.

        If several are visible, the first one in `targets` counts. Raises Playwright's TimeoutError, and Failed
        (`unstable_page`, retryable) if the element disappears at once.
        """
        if not targets:
            raise ValueError("helpers.which needs at least one target")
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
        raise Failed(
            f"One of {', '.join(names)} appeared on the page and disappeared again.",
            type="unstable_page",
            retryable=True,
        )

    async def extract(self, fields: Mapping[str, str | Each], *, required: Sequence[str] = ()) -> dict[str, Any]:
        """Read many fields in one round trip: `{"title": "h1", "link": "a.more@href"}`.

        `selector` reads the trimmed text of the first match, `selector@attribute` its attribute, `xpath=//h1` or
        `xpath=//a/@href` what an XPath finds first. A field without a match is None. `Each` reads a list. Raises Failed
        (`field_missing`, retryable) with the names of all `required` fields that are None or an empty list.

        A page may go elsewhere by itself meanwhile (`<meta http-equiv=refresh>`): the new document is read then. After
        10 s of such navigations Playwright's Error is raised; the attempt ends as `navigation_error` and is retried.
        """
        parsed = parsed_fields(fields, required)
        found: dict[str, Any] = await on_one_document(self._page, lambda: self._page.evaluate(READ_FIELDS, parsed))
        missing = dict(missing_fields(found, fields, required))
        if missing:
            raise Failed(
                f"Required fields are not on the page: {', '.join(missing)}",
                type="field_missing",
                retryable=True,
                detail={"missing": list(missing), "selectors": missing},
            )
        return found

    async def paginate(
        self,
        items: Each,
        *,
        next: str | None = None,
        parameter: str | None = None,
        load_more: str | None = None,
        scroll: bool = False,
        max_pages: int = 50,
        max_items: int = 1000,
        wait_seconds: float = 5.0,
    ) -> Pages:
        """Read a list over all its pages, beginning with the present one: `paginate(Each(".offer"), next="a.next")`.

        One of: `next`, selector of the link or button to the next page; `parameter`, name of the page number in the
        URL; `load_more`, selector of the button that makes the list longer; `scroll`, a list that grows when the page
        is scrolled. Ends at a bound, at the last page, when nothing more comes within `wait_seconds`, or when the site
        repeats a page: `ended` of the result says which. Raises as `extract`, and Playwright's errors.
        """
        ways = [next is not None, parameter is not None, load_more is not None, scroll]
        if sum(ways) != 1 or max_pages < 1:
            raise ValueError(
                "helpers.paginate needs one of next, parameter, load_more, scroll, and 1 or more max_pages"
            )
        at = Paginator(self._page, partial(self._items, items), items, max_pages, max_items, wait_seconds)
        if next is not None:
            return await at.by_turning(lambda _: at.follow(next))
        if parameter is not None:
            first = first_number(self._page.url, parameter)
            return await at.by_turning(lambda number: at.go_to_number(parameter, first + number - 1))
        return await at.by_growing(at.scroll if load_more is None else partial(at.click, load_more))

    async def _items(self, items: Each) -> list[Any]:
        found: list[Any] = (await self.extract({"items": items}))["items"]
        return found

    async def detect_blocker(self) -> Blocked | None:
        """What blocks the job's own page, by the worker's blocker rules. None: nothing that they know.

            if blocked := await helpers.detect_blocker():
                raise blocked

        A failed attempt is looked at without it. Ask where your handler would go on with what a blocked page shows,
        such as an empty list. A page that does not answer within 2 s is judged by its status and headers alone.
        """
        return await self._sink.detect_blocker()

    def profile_state(self, state: ProfileState, **evidence: object) -> None:
        """Report whether the profile of this job is logged in: `helpers.profile_state("needs_human", text="SMS code")`.

        Operators see it, with the page's address (without its query) and the evidence, stored as short strings: give no
        secret. The last call of an attempt counts, however the attempt ends. A job without a profile reports nothing.
        Raises ValueError if there is no such state.
        """
        self._sink.profile_state(state, evidence)

    def blocked(self, kind: BlockerKind, provider: str | None = None, **evidence: object) -> NoReturn:
        """End the attempt as `blocked`. Raises Blocked, which has what the arguments mean."""
        raise Blocked(kind, provider, evidence)
