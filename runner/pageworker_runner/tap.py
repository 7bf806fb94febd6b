"""Sees every command that Playwright's client sends to its driver, and books what it leaves behind.

Only this file and `inside.py` know Playwright's private parts; what the commands mean is in `ledger.py`.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from playwright._impl.browser_context import BrowserContext as ImplContext
from playwright._impl.channel_owner import ChannelOwner
from playwright._impl.connection import Connection
from playwright.async_api import BrowserContext

from pageworker_runner.belonging import ATTEMPT, OWN
from pageworker_runner.errors import Refused
from pageworker_runner.ledger import Mark, mark_of

EGRESS_HEADER = "pageworker-egress"


@dataclass
class Book:
    """What one page (or one attempt, on the context) has left behind."""

    marks: Counter[Mark] = field(default_factory=Counter)
    disposables: list[asyncio.Future[Any]] = field(default_factory=list)
    stuck: list[str] = field(default_factory=list)
    """Commands that can't be taken back."""
    refusal: str | None = None
    """What the egress gateway said to the page's last refused navigation."""

    def add(self, mark: Mark, command: str, reply: asyncio.Future[Any]) -> None:
        """Note one command."""
        if mark is Mark.RAISED:
            self.marks[Mark.PRESSED] -= 1
            return
        self.marks[mark] += 1
        if mark is Mark.DISPOSABLE:
            self.disposables.append(reply)
        elif mark is Mark.STUCK:
            self.stuck.append(command)

    def has(self, mark: Mark) -> bool:
        """Is there something of this kind to take back?"""
        return self.marks[mark] > 0


class Tap:
    """The books of all pages, by page guid, and of the context, by attempt.

    `holder(guid)` is the attempt that a page of the pool belongs to now, "" for none, None where it is no page of the
    pool: a module sees its neighbours' pages in `page.context.pages`, and has to leave them alone.
    """

    def __init__(self, context: BrowserContext, holder: Callable[[str], str | None]) -> None:
        self._holder = holder
        impl: ImplContext = context._impl_obj
        self._connection: Connection = impl._connection
        self._send = self._connection.send_message_to_server
        self._listen = impl._add_listener
        self._pages: dict[str, Book] = {}
        self._context: dict[str | None, Book] = {}
        self._listeners: list[tuple[str | None, str, Callable[..., Any]]] = []
        # Instance attributes that shadow the methods: every caller goes through them.
        vars(self._connection)["send_message_to_server"] = self._sent
        vars(impl)["_add_listener"] = self._listened
        self._impl = impl

    def page(self, guid: str) -> Book:
        """The book of a page; made when asked for."""
        return self._pages.setdefault(guid, Book())

    def close_page(self, guid: str) -> None:
        """Forget a page's book: it was proved clean, or is gone."""
        self._pages.pop(guid, None)

    def context_books(self) -> Mapping[str | None, Book]:
        """What attempts left on the context. None: done in an event callback, so nobody knows whose."""
        return self._context

    def close_attempt(self, attempt: str) -> None:
        """Forget what an attempt left on the context: it was taken back."""
        self._context.pop(attempt, None)
        self._context.pop(None, None)

    def drop_listeners(self, attempt: str) -> None:
        """Remove what an attempt listens to on the context."""
        kept = []
        for owner, event, listener in self._listeners:
            if owner == attempt:
                self._impl.remove_listener(event, listener)
            else:
                kept.append((owner, event, listener))
        self._listeners = kept

    def _sent(self, target: ChannelOwner, method: str, params: Any, options: dict[str, Any]) -> asyncio.Future[Any]:
        if OWN.get():
            return self._send(target, method, params, options)
        mark = mark_of(target._type, method, params.get("event"))
        if mark is Mark.REFUSED:
            raise Refused(f"{target._type}.{method} is not a module's to call")
        self._check_holder(target)
        reply = self._send(target, method, params, options)
        if mark is not Mark.NOTHING:
            self._book_for(target, method, params).add(mark, f"{target._type}.{method}", reply)
        elif method == "goto":
            reply.add_done_callback(lambda done: self._arrived(target, done))
        return reply

    def _check_holder(self, target: ChannelOwner) -> None:
        page: Any = target if target._type == "Page" else getattr(target, "_page", None)
        attempt = ATTEMPT.get()
        if attempt is not None and page is not None and self._holder(page._guid) not in (attempt, None):
            raise Refused("that page is not this job's")

    def _book_for(self, target: ChannelOwner, method: str, params: Any) -> Book:
        if target._type == "Page":
            return self.page(target._guid)
        if method == "newCDPSession":
            # Raw DevTools commands can do anything to their page, and are not seen here.
            looked_at = params.get("page") or params.get("frame") or {}
            aimed: Any = self._connection._objects.get(looked_at.get("guid", ""))
            page = getattr(aimed, "_page", aimed)
            if page is not None:
                return self.page(page._guid)
        return self._context.setdefault(ATTEMPT.get(), Book())

    def _listened(self, event: Any, listener: Callable[..., Any], prepend: bool) -> Any:
        attempt = ATTEMPT.get()
        if attempt is not None and not OWN.get():
            self._listeners.append((attempt, event, listener))
        return self._listen(event, listener, prepend)

    def _arrived(self, frame: Any, reply: asyncio.Future[Any]) -> None:
        """The gateway answers a refused plain-HTTP navigation itself, with a header that says why."""
        page = frame._page
        if page is None or reply.cancelled() or reply.exception() is not None:
            return
        response = (reply.result() or {}).get("response")
        headers = response._object._initializer["headers"] if response is not None else []
        said = [entry["value"] for entry in headers if entry["name"].lower() == EGRESS_HEADER]
        self.page(page._guid).refusal = said[0] if said else None
