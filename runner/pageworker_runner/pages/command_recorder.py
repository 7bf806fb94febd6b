"""Sees every command that Playwright's client sends to its driver, and books what it leaves behind.

Only this file and `inside.py` know Playwright's private parts; what the commands mean is in `ledger.py`.
"""

import asyncio
import itertools
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from playwright._impl.browser_context import BrowserContext as ImplContext
from playwright._impl.channel_owner import ChannelOwner
from playwright._impl.connection import Connection
from playwright.async_api import BrowserContext

from pageworker_runner.errors import CallRefused
from pageworker_runner.pages import playwright_internals
from pageworker_runner.pages.side_effects import SideEffect, side_effect_of
from pageworker_runner.task_ownership import ATTEMPT, OWN, Callback

EGRESS_HEADER = "pageworker-egress"


@dataclass(frozen=True)
class Reply:
    """The driver's answer to one command, when it comes."""

    target: ChannelOwner
    method: str
    future: asyncio.Future[Any]

    @property
    def command(self) -> str:
        """`Page.addInitScript`."""
        return f"{self.target._type}.{self.method}"

    @property
    def succeeded(self) -> bool:
        """It came, and was no error."""
        return self.future.done() and not self.future.cancelled() and self.future.exception() is None


@dataclass
class SideEffects:
    """What one page (or one attempt, on the context) has left behind."""

    marks: Counter[SideEffect] = field(default_factory=Counter)
    replies: dict[SideEffect, list[Reply]] = field(
        default_factory=lambda: {SideEffect.DISPOSABLE: [], SideEffect.RESPONSE: []}
    )
    """The replies that say what there is to drop."""
    stuck: list[str] = field(default_factory=list)
    """Commands that can't be taken back."""
    refusal: str | None = None
    """What the egress gateway said to the page's last refused navigation."""

    def add(self, mark: SideEffect, target: ChannelOwner, method: str, reply: asyncio.Future[Any]) -> None:
        """Note one command."""
        if mark is SideEffect.RAISED:
            self.marks[SideEffect.PRESSED] -= 1
            return
        self.marks[mark] += 1
        if mark in self.replies:
            self.replies[mark].append(Reply(target, method, reply))
        elif mark is SideEffect.STUCK:
            self.stuck.append(f"{target._type}.{method}")

    def has(self, mark: SideEffect) -> bool:
        """Is there something of this kind to take back?"""
        return self.marks[mark] > 0

    def beyond_undoing(self) -> str | None:
        """A command that can't be taken back, or one to be disposed of that nobody heard the end of."""
        unheard = (reply.command for reply in self.replies[SideEffect.DISPOSABLE] if not reply.succeeded)
        return next(itertools.chain(self.stuck, unheard), None)


class CommandRecorder:
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
        self._pages: dict[str, SideEffects] = {}
        self._context: dict[str, SideEffects] = {}
        self._listeners: list[tuple[str, str, Callable[..., Any]]] = []
        # Instance attributes that shadow the methods: every caller goes through them.
        vars(self._connection)["send_message_to_server"] = self._sent
        vars(impl)["_add_listener"] = self._listened
        self._impl = impl
        playwright_internals.wrap_callbacks(Callback)

    def page(self, guid: str) -> SideEffects:
        """The book of a page; made when asked for."""
        return self._pages.setdefault(guid, SideEffects())

    def close_page(self, guid: str) -> None:
        """Forget a page's book: it was proved clean, or is gone."""
        self._pages.pop(guid, None)

    def context_books(self) -> Mapping[str, SideEffects]:
        """What attempts left on the context."""
        return self._context

    def close_attempt(self, attempt: str) -> None:
        """Forget what an attempt left on the context: it was taken back."""
        self._context.pop(attempt, None)

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
        mark = side_effect_of(target._type, method, params.get("event"))
        if mark is SideEffect.REFUSED:
            raise CallRefused(f"{target._type}.{method} is not a module's to call")
        attempt = self._check_holder(target)
        reply = self._send(target, method, params, options)
        if mark is not SideEffect.NOTHING:
            self._book_for(target, method, params, attempt).add(mark, target, method, reply)
        elif method == "goto":
            reply.add_done_callback(lambda done: self._arrived(target, done))
        return reply

    def _check_holder(self, target: ChannelOwner) -> str:
        """The attempt that is at work. Raises Refused."""
        page: Any = target if target._type == "Page" else getattr(target, "_page", None)
        attempt = ATTEMPT.get()
        if attempt is None:
            raise CallRefused("nobody knows whose job this is for: start threads with asyncio.to_thread")
        if page is not None and self._holder(page._guid) not in (attempt, None):
            raise CallRefused("that page is not this job's")
        return attempt

    def _book_for(self, target: ChannelOwner, method: str, params: Any, attempt: str) -> SideEffects:
        if target._type == "Page":
            return self.page(target._guid)
        if method == "newCDPSession":
            # Raw DevTools commands can do anything to their page, and are not seen here.
            looked_at = params.get("page") or params.get("frame") or {}
            aimed: Any = self._connection._objects.get(looked_at.get("guid", ""))
            page = getattr(aimed, "_page", aimed)
            if page is not None:
                return self.page(page._guid)
        return self._context.setdefault(attempt, SideEffects())

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
